#include "diffusion/samplers/consistency.h"

#include <algorithm>

#include "diffusion/samplers/coroutine.h"

namespace diffusion {

SamplerCoroutine walk(Consistency /*consistency*/, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), fresh(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1];
    co_yield Question{x, sigma, denoised};
    if (sigma_next < sigma) std::ranges::copy(denoised, x.begin());
    if (sigma_next < sigma && sigma_next > 0) {
      state.noise(int(i) + 1, fresh);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_next * fresh[k];
    }
    state.report(i, denoised);
  }
}

}  // namespace diffusion
