#include "diffusion/spacings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <diffusion/error.h>
#include "base/names.h"
#include "diffusion/spacing_beta.h"

namespace diffusion {

namespace {

constexpr std::array<SpacingEntry, 9> kSpacings{{
    {"leading", Spacing::leading, true, "multiples of floor(T / steps); ends at timestep 0"},
    {"trailing", Spacing::trailing, true, "equal steps from timestep T - 1"},
    {"linspace", Spacing::linspace, true, "equal steps from timestep T - 1 to 0"},
    {"ays", Spacing::ays, true,
     "Align Your Steps for Stable Diffusion 1.5, Sabour et al. 2024 (arXiv 2404.14507)"},
    {"karras", Spacing::karras, false,
     "sigma^(1/7) in equal steps, Karras et al. 2022 (arXiv 2206.00364), eq. 5"},
    {"exponential", Spacing::exponential, false,
     "log sigma in equal steps from sigma_max to sigma_min, then 0"},
    {"beta", Spacing::beta, false, "sigma at quantiles of Beta(0.6, 0.6): dense at both ends"},
    {"logsnr", Spacing::logsnr, false, "log sigma in equal steps, the last of which goes to 0"},
    {"angle", Spacing::angle, false,
     "arctan sigma in equal steps, for the sampler consistency; Lu & Song 2024 (arXiv 2410.11081)"},
}};

void require(bool holds, const std::string& message) {
  if (!holds) throw Error(ErrorKind::usage, message);
}

void check_steps(int steps) {
  require(steps >= 1, fmt::format("{} sampling steps were asked for; at least 1 is needed.", steps));
}

void check_range(double sigma_min, double sigma_max) {
  require(
      sigma_min > 0 && sigma_min < sigma_max && std::isfinite(sigma_max),
      fmt::format("Noise levels from sigma_max {} to sigma_min {} do not exist; they need 0 < sigma_min < "
                  "sigma_max < infinity.",
                  sigma_max, sigma_min));
}

}  // namespace

std::span<const SpacingEntry> spacings() {
  return kSpacings;
}

std::string_view to_string(Spacing spacing) {
  return kSpacings.at(std::size_t(spacing)).name;
}

Spacing parse_spacing(std::string_view name) {
  std::vector<std::string_view> names;
  for (const SpacingEntry& entry : kSpacings) names.push_back(entry.name);
  return kSpacings[index_of_name("spacing", name, names)].spacing;
}

bool needs_timesteps(Spacing spacing) {
  return kSpacings.at(std::size_t(spacing)).needs_timesteps;
}

std::optional<double> NoiseLevels::timestep_of(double sigma) const {
  for (std::size_t i = 0; i < timesteps.size(); ++i)
    if (sigmas[i] == sigma) return timesteps[i];
  return std::nullopt;
}

std::vector<double> spaced_timesteps(int T, int steps, const LevelSettings& settings,
                                     std::optional<int> first) {
  const Spacing spacing = settings.spacing.value_or(Spacing::trailing);
  const int usable = first.value_or(T);
  require(needs_timesteps(spacing) && spacing != Spacing::ays,
          fmt::format("The spacing {} does not choose timesteps; accepted are: leading, trailing, linspace.",
                      to_string(spacing)));
  check_steps(steps);
  require(
      steps <= T,
      fmt::format("{} sampling steps were asked for; the model has {} timesteps, so accepted are 1 to {}.",
                  steps, T, T));
  const bool end_included =
      settings.grid == LevelGrid::with_end || settings.grid == LevelGrid::with_end_from_noise;
  std::vector<double> timesteps;
  if (spacing == Spacing::leading) {
    const int stride = usable / (steps + (end_included ? 1 : 0));
    for (int i = steps; i > 0; --i)
      timesteps.push_back(double((end_included ? i : i - 1) * stride + settings.steps_offset));
  } else if (spacing == Spacing::trailing) {
    // Rounds ties (usable - i T / steps = k + 1/2) like numpy's arange, whose increment is a difference of
    // its first two elements; the plain product goes the other way for some step counts.
    const double stride = double(T) / steps, increment = (usable - stride) - usable;
    const int count = usable == T ? steps : std::min(steps, int(std::ceil(usable / stride)));
    for (int i = 0; i < count; ++i) timesteps.push_back(std::nearbyint(usable + i * increment) - 1);
  } else {
    const int intervals = end_included ? steps : steps - 1;
    const double increment = intervals == 0 ? 0 : double(usable - 1) / intervals;
    for (int i = 0; i < steps; ++i) {
      const double t =
          i == 0 && intervals > 0 ? usable - 1 : (intervals - i) * increment;  // not off by a rounding
      timesteps.push_back(settings.grid == LevelGrid::real_timesteps ? t : std::nearbyint(t));
    }
  }
  require(
      !timesteps.empty() && timesteps.front() <= T - 1 && timesteps.back() >= 0 &&
          std::ranges::adjacent_find(timesteps, std::less_equal<>()) == timesteps.end(),
      fmt::format("The spacing {} has no {} different timesteps among {} (steps_offset {}); use fewer steps.",
                  to_string(spacing), steps, T, settings.steps_offset));
  return timesteps;
}

std::vector<double> spaced_sigmas(Spacing spacing, int steps, double sigma_min, double sigma_max,
                                  double rho) {
  check_steps(steps);
  check_range(sigma_min, sigma_max);
  require(
      rho >= 1 && std::isfinite(rho),
      fmt::format("The exponent rho of Karras noise levels is {}; it must be finite and at least 1.", rho));
  const double high = std::pow(sigma_max, 1 / rho), low = std::pow(sigma_min, 1 / rho);
  const bool ends_below = spacing == Spacing::logsnr || spacing == Spacing::angle;
  const int intervals = ends_below ? steps : steps - 1;
  std::vector<double> sigmas{sigma_max};
  for (int i = 1; i < steps; ++i) {
    const double share = double(i) / intervals;
    if (i == intervals)
      sigmas.push_back(sigma_min);  // not off by a rounding: an end at sigma_min must not lie above
    else if (spacing == Spacing::karras)
      sigmas.push_back(std::pow(high + share * (low - high), rho));
    else if (spacing == Spacing::angle)
      sigmas.push_back(std::tan(std::atan(sigma_max) * (1 - share)));
    else if (spacing == Spacing::beta)
      sigmas.push_back(sigma_min + beta_quantile(1 - share) * (sigma_max - sigma_min));
    else
      sigmas.push_back(std::exp(std::lerp(std::log(sigma_max), std::log(sigma_min), share)));
  }
  return sigmas;
}

std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho) {
  std::vector<double> sigmas = spaced_sigmas(Spacing::karras, steps, sigma_min, sigma_max, rho);
  sigmas.push_back(0);
  return sigmas;
}

}  // namespace diffusion
