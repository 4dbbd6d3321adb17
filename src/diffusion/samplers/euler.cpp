#include "diffusion/samplers/walks.h"

namespace diffusion {

SamplerCoroutine walk(Euler /*euler*/, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double keep = sigmas[i + 1] / sigmas[i];  // x + (sigma_next - sigma) (x - D) / sigma
    co_yield Question{x, sigmas[i], denoised};
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = denoised[k] + keep * (x[k] - denoised[k]);
    state.report(i, denoised);
  }
}

}  // namespace diffusion
