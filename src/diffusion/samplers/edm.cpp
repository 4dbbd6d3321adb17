#include "diffusion/samplers/walks.h"

#include <algorithm>
#include <cmath>

namespace diffusion {

SamplerCoroutine walk(Heun /*heun*/, SamplerState& state) {
  return walk(Edm{.s_churn = 0}, state);
}

// With the names of the paper.
SamplerCoroutine walk(Edm edm, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  const double gamma_max = std::min(edm.s_churn / double(state.steps()), std::sqrt(2.0) - 1);
  std::vector<double> denoised(x.size()), d(x.size()), euler_x(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1];
    const double gamma = sigma >= edm.s_tmin && sigma <= edm.s_tmax ? gamma_max : 0;
    const double sigma_hat = sigma * (1 + gamma);
    if (gamma > 0) {
      state.noise(int(i) + 1, d);
      const double added = edm.s_noise * std::sqrt(sigma_hat * sigma_hat - sigma * sigma);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += added * d[k];
    }
    co_yield Question{x, sigma_hat, denoised};
    const double step = sigma_next - sigma_hat;
    for (std::size_t k = 0; k < x.size(); ++k) {
      d[k] = (x[k] - denoised[k]) / sigma_hat;
      euler_x[k] = x[k] + step * d[k];
    }
    if (sigma_next > 0) {
      co_yield Question{euler_x, sigma_next, denoised};
      for (std::size_t k = 0; k < x.size(); ++k)
        x[k] += step * (d[k] + (euler_x[k] - denoised[k]) / sigma_next) / 2;
    } else {
      std::ranges::copy(euler_x, x.begin());
    }
    state.report(i, denoised);
  }
}

}  // namespace diffusion
