#include "diffusion/samplers/walks.h"

#include <array>

#include "diffusion/samplers/adams.h"
#include "diffusion/samplers/history.h"

namespace diffusion {

SamplerCoroutine walk(Pndm pndm, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  History epsilon(4, x.size());
  std::vector<double> denoised(x.size()), at(x.size()), other(x.size()), sum(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], step = sigma_next - sigma;
    co_yield Question{x, sigma, denoised};
    estimate_noise(x, denoised, sigma, epsilon.push());
    if (i < pndm.middles.size()) {  // the classical method of fourth order over sigma
      const std::array<double, 3> levels{pndm.middles[i], pndm.middles[i], sigma_next}, weights{2, 2, 1};
      other = sum = epsilon[0];
      for (std::size_t stage = 0; stage < 3; ++stage) {
        for (std::size_t k = 0; k < x.size(); ++k) at[k] = x[k] + (levels[stage] - sigma) * other[k];
        co_yield Question{at, levels[stage], denoised};
        estimate_noise(at, denoised, levels[stage], other);
        for (std::size_t k = 0; k < x.size(); ++k) sum[k] += weights[stage] * other[k];
      }
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += step / 6 * sum[k];
    } else if (i == 0 && state.steps() > 1) {  // Heun's
      for (std::size_t k = 0; k < x.size(); ++k) at[k] = x[k] + step * epsilon[0][k];
      co_yield Question{at, sigma_next, denoised};
      estimate_noise(at, denoised, sigma_next, other);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += step * (epsilon[0][k] + other[k]) / 2;
    } else {
      step_as_if_equal(x, step, epsilon);
    }
    state.report(i, denoised);
  }
}

}  // namespace diffusion
