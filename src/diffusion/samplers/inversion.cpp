#include "diffusion/samplers/inversion.h"

#include <diffusion/sampling.h>
#include "diffusion/samplers/adams.h"

namespace diffusion {

namespace {

SamplerCoroutine walk_up(bool heun, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), epsilon(x.size()), predicted(x.size()), other(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], step = sigma_next - sigma;
    co_yield Question{x, sigma, denoised};
    estimate_noise(x, denoised, sigma, epsilon);
    if (heun) {
      for (std::size_t k = 0; k < x.size(); ++k) predicted[k] = x[k] + step * epsilon[k];
      co_yield Question{predicted, sigma_next, denoised};
      estimate_noise(predicted, denoised, sigma_next, other);
      const double share = i == 0 ? 1 : 0.5;
      for (std::size_t k = 0; k < x.size(); ++k) epsilon[k] += share * (other[k] - epsilon[k]);
    }
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += step * epsilon[k];
    state.report(i, denoised);
  }
}

}  // namespace

OwnSampler ddim_inversion() {
  return {.name = "ddim_inversion",
          .walk = [](SamplerState& state) { return walk_up(false, state); },
          .known = {.order = 1, .ascends = true}};
}

OwnSampler heun_inversion() {
  return {.name = "heun_inversion",
          .walk = [](SamplerState& state) { return walk_up(true, state); },
          .known = {.order = 2, .values = 2, .evaluations = 2, .ascends = true}};
}

}  // namespace diffusion
