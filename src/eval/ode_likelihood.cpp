#include "eval/ode_likelihood.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <diffusion/error.h>

namespace diffusion {

namespace {

void check(const OdeRange& range, std::size_t x, std::size_t count, std::size_t probe) {
  if (!(range.sigma_min > 0 && range.sigma_min < range.sigma_max && std::isfinite(range.sigma_max)))
    throw Error(ErrorKind::usage,
                fmt::format("the ODE of a likelihood goes from sigma {} to {}; accepted are positive, finite "
                            "and ascending levels",
                            range.sigma_min, range.sigma_max));
  if (!(range.initial_std > 0 && std::isfinite(range.initial_std)))
    throw Error(ErrorKind::usage, fmt::format("the standard deviation at the highest noise is {}; it must be "
                                              "positive and finite",
                                              range.initial_std));
  if (range.steps < 1)
    throw Error(ErrorKind::usage,
                fmt::format("the ODE of a likelihood has {} steps; accepted is 1 or more", range.steps));
  if (count == 0 || x == 0 || x % count != 0 || probe != x)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} numbers are not {} images of one size with {} numbers of probes", x, count, probe));
}

// With z = g x, g = 1 / sqrt(1 + sigma^2), and l = log sigma: dz/dl = g (g^2 x - D), because dg/dl = -sigma^2
// g^3. The divergence is d g^2 - tr dD/dx. dl/dlog t = 1 + sigma.
class Slopes {
 public:
  Slopes(const JacobianDenoiser& denoise, std::size_t numbers, std::size_t count,
         std::span<const double> probe)
      : denoise_(denoise),
        probe_(probe),
        sigmas_(count),
        x_(numbers),
        denoised_(numbers),
        product_(numbers) {}

  // `slope` of z and `divergence` of each image by log t.
  void at(double log_t, std::span<const double> z, std::span<double> slope, std::span<double> divergence) {
    const double sigma = -std::exp(log_t) / std::expm1(log_t), norm = std::hypot(1, sigma);
    const std::size_t size = z.size() / sigmas_.size();
    std::ranges::fill(sigmas_, sigma);
    for (std::size_t i = 0; i < z.size(); ++i) x_[i] = norm * z[i];
    denoise_(x_, sigmas_, probe_, denoised_, product_);
    const double keep = 1 / (norm * norm), speed = 1 + sigma;
    for (std::size_t i = 0; i < z.size(); ++i) slope[i] = speed * (keep * z[i] - denoised_[i] / norm);
    for (std::size_t k = 0; k < divergence.size(); ++k) {
      double trace = 0;
      for (std::size_t i = k * size; i < (k + 1) * size; ++i) trace += probe_[i] * product_[i];
      divergence[k] = speed * (double(size) * keep - trace);
    }
  }

 private:
  const JacobianDenoiser& denoise_;
  std::span<const double> probe_;
  std::vector<double> sigmas_, x_, denoised_, product_;
};

}  // namespace

std::vector<double> ode_log_densities(const JacobianDenoiser& denoise, const OdeRange& range,
                                      std::span<const double> x, std::size_t count,
                                      std::span<const double> probe) {
  check(range, x.size(), count, probe.size());
  struct Stage {
    double place, weight;  // of the step
  };
  constexpr std::array<Stage, 4> kRungeKutta{{{0, 1 / 6.}, {0.5, 1 / 3.}, {0.5, 1 / 3.}, {1, 1 / 6.}}};
  const auto log_t = [](double sigma) { return -std::log1p(1 / sigma); };
  const double start = log_t(range.sigma_min), step = (log_t(range.sigma_max) - start) / range.steps;
  const double start_norm = std::hypot(1, range.sigma_min), end_norm = std::hypot(1, range.sigma_max);

  std::vector<double> z(x.begin(), x.end());
  for (double& value : z) value /= start_norm;
  std::vector<double> next(z.size()), stage_z(z.size()), slope(z.size()), divergence(count), volume(count);
  Slopes slopes(denoise, z.size(), count, probe);
  for (int n = 0; n < range.steps; ++n) {
    next = z;
    for (const auto [place, weight] : kRungeKutta) {
      for (std::size_t i = 0; i < z.size(); ++i) stage_z[i] = z[i] + place * step * slope[i];
      slopes.at(start + (n + place) * step, stage_z, slope, divergence);
      for (std::size_t i = 0; i < z.size(); ++i) next[i] += weight * step * slope[i];
      for (std::size_t k = 0; k < count; ++k) volume[k] += weight * step * divergence[k];
    }
    z.swap(next);
  }

  const std::size_t size = x.size() / count;
  const double scale = end_norm / range.initial_std;  // of z to N(0, 1)
  const double constant = double(size) * (std::log(scale / start_norm) - std::log(2 * std::numbers::pi) / 2);
  std::vector<double> densities(count);
  for (std::size_t k = 0; k < count; ++k) {
    double squares = 0;
    for (std::size_t i = k * size; i < (k + 1) * size; ++i) squares += z[i] * z[i];
    densities[k] = constant + volume[k] - scale * scale * squares / 2;
  }
  return densities;
}

}  // namespace diffusion
