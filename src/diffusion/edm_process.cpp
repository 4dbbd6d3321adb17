#include "diffusion/edm_process.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

void EdmProcess::check() const {
  require_positive("sigma_data", sigma_data);
  require_positive("sigma_min", sigma_min);
  require_positive("sigma_max", sigma_max);
  require(sigma_min < sigma_max, "sigma_min", sigma_min,
          fmt::format("less than sigma_max, which is {}", sigma_max));
  require(std::isfinite(p_mean), "p_mean", p_mean, "finite");
  require_positive("p_std", p_std);
}

Scalings EdmProcess::scalings(double sigma) const {
  const double norm = std::hypot(sigma_data, sigma);
  const double share = sigma_data / norm, c_out = sigma * share;
  const double told = time == Time::angle ? std::atan(sigma) * 2 / std::numbers::pi : std::log(sigma) / 4;
  return {share * share, negated ? -c_out : c_out, 1 / norm, told};
}

double EdmProcess::sigma_at(double u) const {
  return std::exp(p_mean + p_std * normal_quantile(u));
}

double EdmProcess::picture_scale(double sigma) const {
  return 1 / std::hypot(1, sigma);
}

NoiseLevels EdmProcess::levels(int steps, const LevelSettings& settings) const {
  const Spacing spacing = settings.spacing.value_or(Spacing::karras);
  if (needs_timesteps(spacing))
    throw Error(ErrorKind::usage,
                fmt::format("The spacing {} is about timesteps, and an edm model has none; accepted are: "
                            "karras, exponential, beta, logsnr, angle.",
                            to_string(spacing)));
  return {spaced_sigmas(spacing, steps, settings.sigma_min.value_or(sigma_min),
                        settings.sigma_max.value_or(sigma_max), settings.rho)};
}

ProcessText EdmProcess::text() const {
  return {fmt::format("sigma from {} to {}, sigma_data {}", sigma_min, sigma_max, sigma_data),
          {{"sigma_data", sigma_data}, {"sigma_min", sigma_min}, {"sigma_max", sigma_max}}};
}

}  // namespace diffusion
