#include "diffusion/variance_preserving.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <diffusion/error.h>

namespace diffusion {

namespace {

// Sabour et al. 2024, Stable Diffusion 1.5; the last is the end of the tenth step.
constexpr std::array<double, 11> kAlignYourSteps{999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0};
constexpr double kAlignYourStepsLast = 999;

// The table, and linear in sigma between two timesteps.
double sigma_of_timestep(const NoiseSchedule& schedule, double timestep) {
  const int below = std::min(int(timestep), schedule.num_train_timesteps - 1);
  const double share = timestep - below;
  if (share == 0) return schedule.sigma(below);
  return schedule.sigma(below) + share * (schedule.sigma(below + 1) - schedule.sigma(below));
}

// log sigma interpolated over the places of the published steps.
std::vector<double> align_your_steps(const NoiseSchedule& schedule, int steps) {
  std::array<double, kAlignYourSteps.size()> log_sigmas{};
  for (std::size_t i = 0; i < log_sigmas.size(); ++i)
    log_sigmas[i] = std::log(sigma_of_timestep(
        schedule, kAlignYourSteps[i] / kAlignYourStepsLast * (schedule.num_train_timesteps - 1)));
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

}  // namespace

void VariancePreserving::check() const {
  if (objective == Objective::edm || objective == Objective::flow)
    throw Error(
        ErrorKind::usage,
        fmt::format("The objective {} has no noise schedule; accepted with a schedule are: epsilon, v, x0.",
                    to_string(objective)));
  if (schedule.sigmas.empty())
    throw Error(ErrorKind::usage, "The noise schedule of a model has no timesteps; it needs at least one.");
}

ProcessFacts VariancePreserving::facts() const {
  return {.objective = objective, .discrete_levels = schedule.num_train_timesteps};
}

Scalings VariancePreserving::scalings(double sigma) const {
  const double norm = std::hypot(1, sigma), timestep = schedule.timestep_of_sigma(sigma);
  if (objective == Objective::epsilon) return {1, -sigma, 1 / norm, timestep};
  if (objective == Objective::v) return {1 / (norm * norm), -sigma / norm, 1 / norm, timestep};
  return {0, 1, 1 / norm, timestep};
}

double VariancePreserving::sigma_at(double u) const {
  const auto T = std::size_t(schedule.num_train_timesteps);
  return schedule.sigmas[std::min(std::size_t(u * double(T)), T - 1)];  // u T may round to T
}

double VariancePreserving::initial_std(double sigma) const {
  return std::hypot(1, sigma);
}

double VariancePreserving::picture_scale(double sigma) const {
  return 1 / std::hypot(1, sigma);
}

NoiseLevels VariancePreserving::levels(int steps, const LevelSettings& settings) const {
  const int T = schedule.num_train_timesteps;
  const Spacing spacing = settings.spacing.value_or(Spacing::trailing);
  const double last = last_sigma(schedule, settings.grid);
  NoiseLevels levels;
  if (needs_timesteps(spacing) && spacing != Spacing::ays) {
    const int usable =
        settings.sigma_max
            ? int(std::ranges::upper_bound(schedule.sigmas, *settings.sigma_max) - schedule.sigmas.begin())
            : T;
    levels.timesteps = spaced_timesteps(T, steps, settings, usable);
    for (const double t : levels.timesteps) levels.sigmas.push_back(sigma_of_timestep(schedule, t));
    if (levels.timesteps.front() == T - 1 && (levels.sigmas.size() == 1 || levels.sigmas[1] < last))
      levels.sigmas.front() = last;
    return levels;
  }
  const double high = settings.grid == LevelGrid::whole_timesteps ? schedule.sigmas.back() : last;
  levels.sigmas = spacing == Spacing::ays
                      ? align_your_steps(schedule, steps)
                      : spaced_sigmas(spacing, steps, settings.sigma_min.value_or(schedule.sigmas.front()),
                                      settings.sigma_max.value_or(high), settings.rho);
  for (const double sigma : levels.sigmas) levels.timesteps.push_back(schedule.timestep_of_sigma(sigma));
  return levels;
}

ProcessText VariancePreserving::text() const {
  const std::string betas = schedule.kind == ScheduleKind::cosine
                                ? ""
                                : fmt::format(", beta from {} to {}", schedule.beta_start, schedule.beta_end);
  const auto warning = terminal_snr_warning(schedule);
  return {fmt::format("{}, {} timesteps{}; terminal SNR {:.3g}", to_string(schedule.kind),
                      schedule.num_train_timesteps, betas, schedule.terminal_snr()),
          {{"kind", to_string(schedule.kind)},
           {"timesteps", schedule.num_train_timesteps},
           {"beta_start", schedule.beta_start},
           {"beta_end", schedule.beta_end},
           {"terminal_snr", schedule.terminal_snr()},
           {"terminal_snr_warning", warning ? Json(*warning) : Json(nullptr)}},
          warning};
}

}  // namespace diffusion
