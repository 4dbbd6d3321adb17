#include <algorithm>
#include <cmath>

#include "diffusion/sampler_functions.h"

namespace diffusion::sampling {

void euler(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
           std::span<double> x, const StepCallback& on_step) {
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double keep = sigmas[i + 1] / sigmas[i];  // x + (sigma_next - sigma) (x - D) / sigma
    denoise(x, sigmas[i], denoised);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = denoised[k] + keep * (x[k] - denoised[k]);
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigmas[i], sigmas[i + 1], denoised, x});
  }
}

// The trapezoidal rule over sigma, its end predicted by Euler.
void heun(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
          const SamplerOptions&, std::span<double> x, const StepCallback& on_step) {
  edm(denoise, sigmas, noise, {.s_churn = 0}, x, on_step);
}

// The midpoint rule, with the middle in log sigma.
void dpm2(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
          std::span<double> x, const StepCallback& on_step) {
  std::vector<double> denoised(x.size()), middle(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], sigma_middle = std::sqrt(sigma * sigma_next);
    denoise(x, sigma, denoised);
    for (std::size_t k = 0; k < x.size(); ++k)
      middle[k] = denoised[k] + sigma_middle / sigma * (x[k] - denoised[k]);
    if (sigma_middle > 0) {
      denoise(middle, sigma_middle, denoised);
      for (std::size_t k = 0; k < x.size(); ++k)
        x[k] += (sigma_next - sigma) / sigma_middle * (middle[k] - denoised[k]);
    } else {
      std::ranges::copy(middle, x.begin());
    }
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigma, sigma_next, denoised, x});
  }
}

// heun, but over the time t = sigma / (1 + sigma) of a rectified flow, whose velocity n - y is
// dx_t/dt = (x_t - D) / t at x_t = (1 - t) x. Euler's step is the same over t and sigma, the trapezoidal rule
// is not.
void flow_heun(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&,
               const SamplerOptions&, std::span<double> x, const StepCallback& on_step) {
  std::vector<double> denoised(x.size()), velocity(x.size()), euler_x(x.size());
  const auto time = [](double sigma) { return sigma / (1 + sigma); };
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double t = time(sigmas[i]), t_next = time(sigmas[i + 1]);
    const double to_flow = 1 / (1 + sigmas[i]), from_flow = 1 + sigmas[i + 1];  // 1 - t and 1 / (1 - t_next)
    denoise(x, sigmas[i], denoised);
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double x_t = to_flow * x[k];
      velocity[k] = (x_t - denoised[k]) / t;
      euler_x[k] = from_flow * (x_t + (t_next - t) * velocity[k]);
    }
    if (t_next > 0) {
      denoise(euler_x, sigmas[i + 1], denoised);
      for (std::size_t k = 0; k < x.size(); ++k) {
        const double velocity_next = (euler_x[k] / from_flow - denoised[k]) / t_next;
        x[k] = from_flow * (to_flow * x[k] + (t_next - t) * (velocity[k] + velocity_next) / 2);
      }
    } else {
      std::ranges::copy(euler_x, x.begin());
    }
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigmas[i], sigmas[i + 1], denoised, x});
  }
}

}  // namespace diffusion::sampling
