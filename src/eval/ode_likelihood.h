#pragma once

// The likelihood of images under the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma, by the
// instantaneous change of variables (Chen et al. 2018, arXiv 1806.07366; Song et al. 2021, arXiv 2011.13456,
// section 4.3). With x(sigma_max) ~ N(0, initial_std^2), the start of every sampler, x(sigma_min) has an
// exact density:
//   log p(x(sigma_min)) = log N(x(sigma_max); 0, initial_std^2) + integral of div (dx/dsigma) dsigma.

#include <cstddef>
#include <span>
#include <vector>

#include "eval/level_denoiser.h"

namespace diffusion {

struct OdeRange {
  double sigma_min, sigma_max;
  double initial_std;  // of x at sigma_max
  int steps = 32;
};

// log p in nats of each of `count` images x at sigma_min. The divergence is d - tr dD/dx (times 1 / sigma),
// and its trace is estimated without bias as probe^T dD/dx probe (Hutchinson 1989), for a probe of
// independent -1 and 1; it is exact if dD/dx is diagonal.
//
// Classical Runge-Kutta steps, 4 evaluations each, equal in log t with t = sigma / (1 + sigma): about equal
// in log sigma at low noise, and ever longer at high noise, where D hardly changes. The state is x / sqrt(1 +
// sigma^2), which stays of the size of a picture. So the error falls as steps^-4, and the result of an image
// does not depend on its batch. Error(usage) unless 0 < sigma_min < sigma_max < infinity, initial_std > 0,
// steps >= 1 and sizes fit. NaN passes through.
std::vector<double> ode_log_densities(const JacobianDenoiser& denoise, const OdeRange& range,
                                      std::span<const double> x, std::size_t count,
                                      std::span<const double> probe);

}  // namespace diffusion
