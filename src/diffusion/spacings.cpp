#include "diffusion/spacings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <diffusion/error.h>
#include "base/names.h"
#include "diffusion/spacing_beta.h"
#include "diffusion/spacing_flow.h"

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

// Sabour et al. 2024, Stable Diffusion 1.5; the last is the end of the tenth step.
constexpr std::array<double, 11> kAlignYourSteps{999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0};
constexpr double kAlignYourStepsLast = 999;

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

// Timesteps that smallest_half_log_snr leaves of the schedule.
int usable_timesteps(const NoiseSchedule& schedule, const LevelSettings& settings) {
  if (!settings.smallest_half_log_snr) return schedule.num_train_timesteps;
  return int(std::ranges::count_if(
      schedule.sigmas, [&](double sigma) { return -std::log(sigma) >= *settings.smallest_half_log_snr; }));
}

// The table, and linear in sigma between two timesteps.
double sigma_at(const NoiseSchedule& schedule, double timestep) {
  const int below = std::min(int(timestep), schedule.num_train_timesteps - 1);
  const double share = timestep - below;
  if (share == 0) return schedule.sigma(below);
  return schedule.sigma(below) + share * (schedule.sigma(below + 1) - schedule.sigma(below));
}

std::vector<double> spaced_timesteps(int T, int usable, int steps, Spacing spacing,
                                     const LevelSettings& settings) {
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

// log sigma interpolated over the places of the published steps.
std::vector<double> align_your_steps(const NoiseSchedule& schedule, int steps) {
  std::array<double, kAlignYourSteps.size()> log_sigmas{};
  for (std::size_t i = 0; i < log_sigmas.size(); ++i)
    log_sigmas[i] = std::log(
        sigma_at(schedule, kAlignYourSteps[i] / kAlignYourStepsLast * (schedule.num_train_timesteps - 1)));
  std::vector<double> sigmas;
  for (int i = 0; i < steps; ++i) {
    const double place = double(i) * double(log_sigmas.size() - 1) / steps;
    const auto below = std::size_t(place);
    sigmas.push_back(std::exp(std::lerp(log_sigmas[below], log_sigmas[below + 1], place - double(below))));
  }
  return sigmas;
}

// The last timestep of a schedule of zero terminal SNR is pure noise. diffusers' DDPM and DDIM say so, and
// its samplers over sigma take that of alphas_cumprod 2^-24 instead of infinity, whatever the timestep before
// it has.
double last_sigma(const NoiseSchedule& schedule, LevelGrid grid) {
  if (!schedule.zero_terminal_snr) return schedule.sigmas.back();
  return grid == LevelGrid::whole_timesteps ? 0x1p40 : std::sqrt(0x1p24 - 1);
}

// From sigma_max to sigma_min, without the end.
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

double rounded(double timestep, TimestepRounding rounding) {
  switch (rounding) {
    case TimestepRounding::none:
      return timestep;
    case TimestepRounding::nearest:
      return std::nearbyint(timestep);
    case TimestepRounding::down:
      return std::floor(timestep);
  }
  throw Error(ErrorKind::internal, "A timestep rounding does not exist.");
}

double initial_std(const Preconditioner& preconditioner, double sigma, InitialStd kind) {
  switch (kind) {
    case InitialStd::of_model:
      return preconditioner.initial_std(sigma);
    case InitialStd::sigma:
      return sigma;
    case InitialStd::with_data:
      return std::hypot(1, sigma);
  }
  throw Error(ErrorKind::internal, "A kind of initial standard deviation does not exist.");
}

bool needs_timesteps(Spacing spacing) {
  return kSpacings.at(std::size_t(spacing)).needs_timesteps;
}

// Sigmas half a step below the first three timesteps.
std::vector<double> middles_of(const NoiseSchedule& schedule, std::span<const double> timesteps) {
  constexpr std::size_t kSteps = 3;
  const int steps = int(timesteps.size()), half = schedule.num_train_timesteps / steps / 2;
  std::vector<double> middles;
  for (std::size_t i = 0; i < kSteps && steps > int(kSteps); ++i) {
    const int middle = int(timesteps[i]) - half;
    if (half > 0 && middle > int(timesteps[i + 1])) middles.push_back(schedule.sigma(middle));
  }
  require(middles.size() == kSteps, fmt::format("Sampling that begins with Runge-Kutta steps, as the model's "
                                                "scheduler asks for, needs 4 to {} steps; {} "
                                                "were asked for.",
                                                std::max(4, schedule.num_train_timesteps / 2), steps));
  return middles;
}

// The levels but the end.
NoiseLevels levels_of_schedule(const NoiseSchedule& schedule, int steps, Spacing spacing,
                               const LevelSettings& settings) {
  const int T = schedule.num_train_timesteps, usable = usable_timesteps(schedule, settings);
  const auto grid = [&](Spacing of) { return spaced_timesteps(T, usable, steps, of, settings); };
  NoiseLevels levels{{}, {}, 0};
  if (needs_timesteps(spacing) && spacing != Spacing::ays) {
    levels.timesteps = grid(spacing);
    for (const double t : levels.timesteps) levels.sigmas.push_back(sigma_at(schedule, t));
    const double last = last_sigma(schedule, settings.grid);
    if (levels.timesteps.front() == T - 1 && (levels.sigmas.size() == 1 || levels.sigmas[1] < last))
      levels.sigmas.front() = last;
    if (settings.has_middles) levels.middles = middles_of(schedule, levels.timesteps);
    return levels;
  }
  if (spacing == Spacing::ays) {
    levels.sigmas = align_your_steps(schedule, steps);
  } else {
    double low = schedule.sigmas.front(), high = schedule.sigmas.back();
    if (settings.grid != LevelGrid::whole_timesteps) high = last_sigma(schedule, settings.grid);
    if (settings.grid == LevelGrid::real_timesteps && steps > 1) {
      const std::vector<double> timesteps = grid(settings.range);
      if (timesteps.front() < T - 1) high = sigma_at(schedule, timesteps.front());
      low = sigma_at(schedule, timesteps.back());
    }
    levels.sigmas = spaced_sigmas(spacing, steps, settings.sigma_min.value_or(low),
                                  settings.sigma_max.value_or(high), settings.rho);
  }
  for (const double sigma : levels.sigmas)
    levels.timesteps.push_back(rounded(schedule.timestep_of_sigma(sigma), settings.rounding));
  return levels;
}

NoiseLevels levels_of_flow(const Preconditioner& preconditioner, int steps, Spacing spacing,
                           const LevelSettings& settings) {
  require(
      spacing != Spacing::leading && spacing != Spacing::ays,
      fmt::format(
          "The spacing {} is for models with a noise schedule, and a flow has none; accepted are: trailing, "
          "linspace, karras, exponential, beta, logsnr, angle.",
          to_string(spacing)));
  const int T = preconditioner.flow()->num_train_timesteps;
  const auto time_of = [](double sigma) { return sigma / (1 + sigma); };
  NoiseLevels levels{{}, {}, 0};
  if (spacing == Spacing::logsnr || spacing == Spacing::angle) {
    levels.sigmas = spaced_sigmas(spacing, steps, settings.sigma_min.value_or(preconditioner.sigma_min()),
                                  settings.sigma_max.value_or(preconditioner.sigma_max()), settings.rho);
    for (const double sigma : levels.sigmas) levels.timesteps.push_back(T * time_of(sigma));
    return levels;
  }
  std::vector<double> times =
      flow_times(T, steps, needs_timesteps(spacing) ? spacing : Spacing::linspace, settings);
  if (!needs_timesteps(spacing)) {
    const double low = settings.sigma_min ? time_of(*settings.sigma_min) : times.back(),
                 high = settings.sigma_max ? time_of(*settings.sigma_max) : times.front();
    if (steps > 1) times = spaced_sigmas(spacing, steps, low, high, settings.rho);
  }
  for (const double t : times) {
    levels.sigmas.push_back(sigma_of_flow_time(t));
    levels.timesteps.push_back(rounded(T * t, settings.rounding));
  }
  return levels;
}

// The end after these levels.
double end_of(const Preconditioner& preconditioner, double last, bool needs_timesteps,
              const LevelSettings& settings) {
  if (!settings.ends_at_sigma_min) return 0;
  if (preconditioner.flow()) return last;
  return settings.sigma_min && !needs_timesteps ? *settings.sigma_min : preconditioner.sigma_min();
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

std::optional<double> NoiseLevels::timestep_of(double sigma) const {
  for (std::size_t i = 0; i < timesteps.size(); ++i)
    if (sigmas[i] == sigma) return timesteps[i];
  return std::nullopt;
}

std::vector<double> spaced_timesteps(int num_train_timesteps, int steps, const LevelSettings& settings) {
  const Spacing spacing = settings.spacing.value_or(Spacing::trailing);
  require(needs_timesteps(spacing) && spacing != Spacing::ays,
          fmt::format("The spacing {} does not choose timesteps; accepted are: leading, trailing, linspace.",
                      to_string(spacing)));
  return spaced_timesteps(num_train_timesteps, num_train_timesteps, steps, spacing, settings);
}

NoiseLevels noise_levels(const Preconditioner& preconditioner, int steps, const LevelSettings& settings) {
  check_steps(steps);
  const NoiseSchedule* schedule = preconditioner.schedule();
  const bool is_flow = preconditioner.flow() != nullptr;
  const Spacing spacing = settings.spacing.value_or(schedule  ? Spacing::trailing
                                                    : is_flow ? Spacing::linspace
                                                              : Spacing::karras);
  NoiseLevels levels{{}, {}, 0};
  if (schedule) {
    levels = levels_of_schedule(*schedule, steps, spacing, settings);
  } else if (is_flow) {
    levels = levels_of_flow(preconditioner, steps, spacing, settings);
  } else {
    require(!needs_timesteps(spacing),
            fmt::format("The spacing {} is about timesteps, and an edm model has none; accepted are: karras, "
                        "exponential, "
                        "beta, logsnr, angle.",
                        to_string(spacing)));
    levels.sigmas = spaced_sigmas(spacing, steps, settings.sigma_min.value_or(preconditioner.sigma_min()),
                                  settings.sigma_max.value_or(preconditioner.sigma_max()), settings.rho);
  }
  levels.initial_std = initial_std(preconditioner, levels.sigmas.front(), settings.initial_std);
  levels.sigmas.push_back(end_of(preconditioner, levels.sigmas.back(), needs_timesteps(spacing), settings));
  return levels;
}

std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho) {
  std::vector<double> sigmas = spaced_sigmas(Spacing::karras, steps, sigma_min, sigma_max, rho);
  sigmas.push_back(0);
  return sigmas;
}

}  // namespace diffusion
