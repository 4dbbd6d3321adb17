#include "diffusion/samplers/walks.h"

#include <algorithm>
#include <cmath>

namespace diffusion {

namespace {

// Makes D, at sigma, what a latent consistency model distills.
void skip_to_boundary(double r, double sigma, std::span<const double> x, std::span<double> denoised) {
  const double norm = std::hypot(1, r), c_skip = 1 / (norm * norm), c_out = r / norm;
  const double to_vp = 1 / std::hypot(1, sigma);
  for (std::size_t k = 0; k < x.size(); ++k) denoised[k] = c_skip * to_vp * x[k] + c_out * denoised[k];
}

}  // namespace

SamplerCoroutine walk(Consistency consistency, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), fresh(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1];
    co_yield Question{x, sigma, denoised};
    if (!consistency.boundary.empty()) skip_to_boundary(consistency.boundary[i], sigma, x, denoised);
    if (sigma_next < sigma) std::ranges::copy(denoised, x.begin());
    if (sigma_next < sigma && sigma_next > 0) {
      state.noise(int(i) + 1, fresh);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_next * fresh[k];
    }
    state.report(i, denoised);
  }
}

}  // namespace diffusion
