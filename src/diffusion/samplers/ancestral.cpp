#include "diffusion/samplers/walks.h"

#include <cmath>
#include <utility>

namespace diffusion {

namespace {

// x becomes what is kept of the noise (x - D) plus D, D limited in the second place only.
void step_down(std::span<double> x, double keep, std::span<double> denoised, const DenoisedLimit& limit) {
  if (!limit) {
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = denoised[k] + keep * (x[k] - denoised[k]);
    return;
  }
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = keep * (x[k] - denoised[k]);
  limit(denoised);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] += denoised[k];
}

// The DDIM family (Song et al. 2020, arXiv 2010.02502, eq. 12 and 16) in sigma space: an Euler step down to
// sigma_down, then fresh noise back up to sigma_next, sigma_down^2 + sigma_up^2 = sigma_next^2.
SamplerCoroutine ancestral_euler(double eta, DdpmVariance variance, DenoisedLimit limit,
                                 SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), injected(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], ratio = sigma_next / sigma;
    // The share of the noise at sigma_next that is new.
    const double renewed = eta > 0 ? eta * std::sqrt(1 - ratio * ratio) : 0;
    const double sigma_down = sigma_next * std::sqrt(1 - renewed * renewed);
    double sigma_up = sigma_next * renewed;
    // beta_t / alphas_cumprod[t-1], where 1 - beta_t = (1 + sigma_next^2) / (1 + sigma^2); a step to 0 ends
    // without noise.
    if (variance == DdpmVariance::beta && sigma_next > 0)
      sigma_up = std::hypot(1, sigma_next) / std::hypot(1, sigma) * sigma * std::sqrt(1 - ratio * ratio);

    co_yield Question{x, sigma, denoised};
    step_down(x, sigma_down / sigma, denoised, limit);
    if (sigma_up > 0) {
      state.noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    state.report(i, denoised);
  }
}

SamplerCoroutine euler_down_to(std::vector<double> downs, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), injected(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double down = downs[i], sigma_up = std::sqrt(sigmas[i + 1] * sigmas[i + 1] - down * down);
    co_yield Question{x, sigmas[i], denoised};
    step_down(x, down / sigmas[i], denoised, {});
    if (sigma_up > 0) {
      state.noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    state.report(i, denoised);
  }
}

}  // namespace

SamplerCoroutine walk(Ddpm ddpm, SamplerState& state) {
  return ancestral_euler(1, ddpm.variance, {}, state);
}

SamplerCoroutine walk(Ddim ddim, SamplerState& state) {
  return ancestral_euler(ddim.eta, DdpmVariance::posterior, std::move(ddim.limit), state);
}

SamplerCoroutine walk(EulerAncestral euler, SamplerState& state) {
  return euler.downs.empty() ? ancestral_euler(euler.eta, DdpmVariance::posterior, {}, state)
                             : euler_down_to(std::move(euler.downs), state);
}

}  // namespace diffusion
