#pragma once

// What the tests of samplers share; not part of the library.

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "diffusion/samplers.h"
#include "diffusion/spacings.h"

namespace diffusion::exact_gaussian {

// Data that are exactly N(m, s^2): the best denoiser and the solution of the probability-flow ODE are known.
inline constexpr double kMean = 0.4, kStd = 0.5;

inline void gaussian_denoiser(std::span<const double> x, double sigma, std::span<double> denoised) {
  const double keep = kStd * kStd / (kStd * kStd + sigma * sigma);
  for (std::size_t i = 0; i < x.size(); ++i) denoised[i] = kMean + keep * (x[i] - kMean);
}

inline std::vector<double> started(const NoiseSource& noise, double std_at_start, std::size_t count) {
  std::vector<double> x(count);
  noise(0, x);
  for (double& value : x) value *= std_at_start;
  return x;
}

// Karras' levels without the step to 0, which has orders of its own.
inline std::vector<double> smooth_levels(int steps) {
  std::vector<double> sigmas = karras_sigmas(steps + 1, 0.002, 80);
  sigmas.pop_back();
  return sigmas;
}

inline double ode_error(const Sampler& sampler, const std::vector<double>& sigmas) {
  const double y = 0.9, per_std = (y - kMean) / kStd;
  std::vector<double> x{kMean + per_std * std::hypot(kStd, sigmas.front())};
  run_sampler(sampler, gaussian_denoiser, sigmas, {}, x);
  return std::abs(x[0] - (kMean + per_std * std::hypot(kStd, sigmas.back())));
}

}  // namespace diffusion::exact_gaussian
