#include "diffusion/samplers/walks.h"

#include <algorithm>

#include "diffusion/samplers/adams.h"
#include "diffusion/samplers/history.h"

namespace diffusion {

SamplerCoroutine walk(Ipndm ipndm, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  History epsilon(4, x.size());
  std::vector<double> denoised(x.size());
  if (ipndm.starts_with_noise) {
    std::ranges::fill(denoised, 0);
    estimate_noise(x, denoised, sigmas.front(), epsilon.push());
  }
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    co_yield Question{x, sigmas[i], denoised};
    estimate_noise(x, denoised, sigmas[i], epsilon.push());
    step_as_if_equal(x, sigmas[i + 1] - sigmas[i], epsilon);
    state.report(i, denoised);
  }
}

}  // namespace diffusion
