#pragma once

namespace diffusion {

// The x in [0, 1] below which a Beta(0.6, 0.6) variable falls with probability p in [0, 1]; to about 1e-13 of
// x or 1 - x.
double beta_quantile(double p);

}  // namespace diffusion
