#include "diffusion/samplers/walks.h"

#include <cmath>

#include "diffusion/samplers/exponential.h"
#include "diffusion/samplers/history.h"

namespace diffusion {

namespace {

// Of a step's D, and of the two before it.
struct Weights {
  double w0 = 0, w1 = 0, w2 = 0;
};

// h_1 and h_2 are the steps in lambda before h.
Weights step_weights(int order, double q, double h, double h_1, double h_2, bool heun) {
  const double keep = std::exp(-q);
  Weights w{.w0 = 1 - keep};
  if (order == 2) {
    w.w1 = -(heun ? slope_weight(q) : (1 - keep) / 2) * h / h_1;
    w.w0 -= w.w1;
  } else if (order == 3) {
    const double r0 = h_1 / h, r1 = h_2 / h;
    const double slope = slope_weight(q), curvature = 0.5 - slope / q;
    // h D' = a + r0 / (r0 + r1) (a - b) and (a - b) / (r0 + r1) for D'', a = (D - D1) / r0, b = (D1 - D2) /
    // r1.
    const double both = (slope * r0 + curvature) / (r0 + r1), a = (slope + both) / r0, b = both / r1;
    w.w0 += a;
    w.w1 = -a - b;
    w.w2 = b;
  }
  return w;
}

}  // namespace

// Lu et al. 2022 (arXiv 2211.01095) and its SDE. With lambda = -log sigma, h the step in lambda and q = (1 +
// eta) h, the solution is
//   x_next = exp(-q) x + (1 - exp(-q)) D + slope_weight(q) h D' + ... + noise of sigma_next sqrt(1 - exp(-2
//     eta h)),
// where D' and D'' come from differences of earlier D. The weights are the published ones: the second order
// has (1 - exp(-q)) / 2 for slope_weight(q), unless `heun` is set, and the third has half of what D'' has in
// the Taylor series, so that its error falls as steps^-2, too, though it is smaller.
SamplerCoroutine walk(DpmppSde dpmpp, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  const CarefulEnd careful = dpmpp.lower_order_final ? CarefulEnd::short_walks : CarefulEnd::never;
  const std::size_t steps = sigmas.size() - 1;
  History d(std::size_t(dpmpp.values), x.size());
  std::vector<double> injected(dpmpp.eta > 0 ? x.size() : 0);
  double h_1 = 0, h_2 = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], h = std::log(sigma / sigma_next);
    const double q = (1 + dpmpp.eta) * h, keep = std::exp(-q);
    const bool euler = i + 1 == steps && dpmpp.euler_at_final;
    const int order = euler ? 1 : order_of_step(dpmpp.values, i, sigmas, careful);
    const std::span<double> newest = d.push();
    co_yield Question{x, sigma, newest};

    const Weights w = step_weights(order, q, h, h_1, h_2, dpmpp.heun);
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = keep * x[k] + w.w0 * newest[k];
      if (order > 1) x[k] += w.w1 * d[1][k];
      if (order > 2) x[k] += w.w2 * d[2][k];
    }
    const double sigma_up = sigma_next * std::sqrt(-std::expm1(-2 * dpmpp.eta * h));
    if (sigma_up > 0) {
      state.noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    h_2 = h_1;
    h_1 = h;
    state.report(i, newest);
  }
}

SamplerCoroutine walk(Dpmpp dpmpp, SamplerState& state) {
  return walk(DpmppSde{.values = dpmpp.values,
                       .eta = 0,
                       .lower_order_final = dpmpp.lower_order_final,
                       .euler_at_final = dpmpp.euler_at_final,
                       .heun = dpmpp.heun},
              state);
}

}  // namespace diffusion
