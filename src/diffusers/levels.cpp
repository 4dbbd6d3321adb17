#include "diffusers/levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <diffusion/error.h>

namespace diffusion::scheduler {

namespace {

double rounded(double timestep, TimestepRounding rounding) {
  if (rounding == TimestepRounding::nearest) return std::nearbyint(timestep);
  return rounding == TimestepRounding::down ? std::floor(timestep) : timestep;
}

double initial_std_of(const Preconditioner& preconditioner, double sigma, InitialStd kind) {
  if (kind == InitialStd::with_data) return std::hypot(1, sigma);
  return kind == InitialStd::sigma ? sigma : preconditioner.initial_std(sigma);
}

// Settings whose range of sigmas is that of the timesteps of `range`, as far as they leave it open.
LevelSettings within_range(const Levels& levels, const Preconditioner& preconditioner, int steps) {
  LevelSettings settings = levels.settings;
  const bool has_range = preconditioner.schedule() && settings.grid == LevelGrid::real_timesteps &&
                         !needs_timesteps(*settings.spacing) && steps > 1;
  if (!has_range) return settings;
  const NoiseLevels range =
      noise_levels(preconditioner, steps,
                   {.spacing = levels.range, .grid = settings.grid, .steps_offset = settings.steps_offset});
  if (!settings.sigma_max && range.timesteps.front() < preconditioner.facts().discrete_levels - 1)
    settings.sigma_max = range.sigmas.front();
  if (!settings.sigma_min) settings.sigma_min = range.sigmas[range.timesteps.size() - 1];
  return settings;
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
  if (middles.size() != kSteps)
    throw Error(ErrorKind::usage,
                fmt::format("Sampling that begins with Runge-Kutta steps, as the model's scheduler asks for, "
                            "needs 4 to {} steps; {} were asked for.",
                            std::max(4, schedule.num_train_timesteps / 2), steps));
  return middles;
}

}  // namespace

LevelRule rule_of(const Levels& levels) {
  return [levels](const Preconditioner& preconditioner, int steps, Sampler& sampler) {
    NoiseLevels result = noise_levels(preconditioner, steps, within_range(levels, preconditioner, steps));
    for (double& t : result.timesteps) t = rounded(t, levels.rounding);
    if (levels.has_middles)
      std::get<Pndm>(sampler).middles = middles_of(*preconditioner.schedule(), result.timesteps);
    result.initial_std = initial_std_of(preconditioner, result.sigmas.front(), levels.initial_std);
    if (levels.ends_at_sigma_min)
      result.sigmas.back() = preconditioner.as<RectifiedFlow>()
                                 ? result.sigmas[result.sigmas.size() - 2]
                                 : levels.settings.sigma_min.value_or(preconditioner.sigma_min());
    return result;
  };
}

}  // namespace diffusion::scheduler
