#include "diffusion/samplers/walks.h"

#include <algorithm>
#include <cmath>

namespace diffusion {

SamplerCoroutine walk(Dpm2 /*dpm2*/, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), middle(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], sigma_middle = std::sqrt(sigma * sigma_next);
    co_yield Question{x, sigma, denoised};
    for (std::size_t k = 0; k < x.size(); ++k)
      middle[k] = denoised[k] + sigma_middle / sigma * (x[k] - denoised[k]);
    if (sigma_middle > 0) {
      co_yield Question{middle, sigma_middle, denoised};
      for (std::size_t k = 0; k < x.size(); ++k)
        x[k] += (sigma_next - sigma) / sigma_middle * (middle[k] - denoised[k]);
    } else {
      std::ranges::copy(middle, x.begin());
    }
    state.report(i, denoised);
  }
}

}  // namespace diffusion
