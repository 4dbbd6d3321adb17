#include <algorithm>
#include <cmath>
#include <limits>

#include "diffusion/sampler_functions.h"

namespace diffusion::sampling {

namespace {

// The DDIM family (Song et al. 2020, arXiv 2010.02502, eq. 12 and 16) in sigma space: an Euler step down to
// sigma_down, then fresh noise back up to sigma_next, sigma_down^2 + sigma_up^2 = sigma_next^2.
void ancestral_euler(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
                     double eta, DdpmVariance variance, const DenoisedLimit& limit, std::span<double> x,
                     const StepCallback& on_step) {
  std::vector<double> denoised(x.size()), injected(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], ratio = sigma_next / sigma;
    // The share of the noise at sigma_next that is new.
    const double renewed = eta * std::sqrt(1 - ratio * ratio);
    const double sigma_down = sigma_next * std::sqrt(1 - renewed * renewed);
    double sigma_up = sigma_next * renewed;
    // beta_t / alphas_cumprod[t-1], where 1 - beta_t = (1 + sigma_next^2) / (1 + sigma^2); a step to 0 ends
    // without noise.
    if (variance == DdpmVariance::beta && sigma_next > 0)
      sigma_up = std::hypot(1, sigma_next) / std::hypot(1, sigma) * sigma * std::sqrt(1 - ratio * ratio);

    denoise(x, sigma, denoised);
    const double keep = sigma_down / sigma;
    if (limit) {
      for (std::size_t k = 0; k < x.size(); ++k) x[k] = keep * (x[k] - denoised[k]);
      limit(denoised);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += denoised[k];
    } else {
      for (std::size_t k = 0; k < x.size(); ++k) x[k] = denoised[k] + keep * (x[k] - denoised[k]);
    }
    if (sigma_up > 0) {
      noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigma, sigma_next, denoised, x});
  }
}

}  // namespace

void ddpm(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
          const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  ancestral_euler(denoise, sigmas, noise, 1, options.variance.value_or(DdpmVariance::posterior), {}, x,
                  on_step);
}

void ddim(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
          const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  ancestral_euler(denoise, sigmas, noise, options.eta.value_or(0), DdpmVariance::posterior, options.limit, x,
                  on_step);
}

void euler_ancestral(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
                     const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  ancestral_euler(denoise, sigmas, noise, options.eta.value_or(1), DdpmVariance::posterior, {}, x, on_step);
}

// Karras et al. 2022, algorithm 2, with their names.
void edm(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
         const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  const auto steps = double(sigmas.size() - 1);
  const double gamma_max = std::min(options.s_churn.value_or(40) / steps, std::sqrt(2.0) - 1);
  const double s_tmin = options.s_tmin.value_or(0), s_noise = options.s_noise.value_or(1);
  const double s_tmax = options.s_tmax.value_or(std::numeric_limits<double>::infinity());
  std::vector<double> denoised(x.size()), d(x.size()), euler_x(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1];
    const double gamma = sigma >= s_tmin && sigma <= s_tmax ? gamma_max : 0, sigma_hat = sigma * (1 + gamma);
    if (gamma > 0) {
      noise(int(i) + 1, d);
      const double added = s_noise * std::sqrt(sigma_hat * sigma_hat - sigma * sigma);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += added * d[k];
    }
    denoise(x, sigma_hat, denoised);
    const double step = sigma_next - sigma_hat;
    for (std::size_t k = 0; k < x.size(); ++k) {
      d[k] = (x[k] - denoised[k]) / sigma_hat;
      euler_x[k] = x[k] + step * d[k];
    }
    if (sigma_next > 0) {
      denoise(euler_x, sigma_next, denoised);
      for (std::size_t k = 0; k < x.size(); ++k)
        x[k] += step * (d[k] + (euler_x[k] - denoised[k]) / sigma_next) / 2;
    } else {
      std::ranges::copy(euler_x, x.begin());
    }
    if (on_step) on_step({int(i), int(steps), sigma, sigma_next, denoised, x});
  }
}

// Song et al. 2023, algorithm 1.
void consistency(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
                 const SamplerOptions& /*options*/, std::span<double> x, const StepCallback& on_step) {
  std::vector<double> denoised(x.size()), fresh(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1];
    denoise(x, sigma, denoised);
    if (sigma_next < sigma) std::ranges::copy(denoised, x.begin());
    if (sigma_next < sigma && sigma_next > 0) {
      noise(int(i) + 1, fresh);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_next * fresh[k];
    }
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigma, sigma_next, denoised, x});
  }
}

}  // namespace diffusion::sampling
