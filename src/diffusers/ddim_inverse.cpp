// DDIM from a picture up to noise.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "diffusers/scheduler_config_parts.h"
#include "diffusion/spacings.h"

namespace diffusion::scheduler {

namespace {

// Where it starts instead of 0, at which D would not tell the noise: D's rounding and what the picture lacks
// there are both some 1e-8 of the result.
constexpr double kAlmostNoNoise = 0x1p-28;

// The network is told the timestep of the level that a step leads to, not of that where it starts.
NoiseLevels levels_upwards(const NoiseSchedule& schedule, int steps, const LevelSettings& settings,
                           bool starts_at_sigma_min) {
  NoiseLevels levels{{}, spaced_timesteps(schedule.num_train_timesteps, steps, settings), 1};
  std::ranges::reverse(levels.timesteps);
  const double lowest = starts_at_sigma_min ? schedule.sigmas.front() : kAlmostNoNoise;
  levels.sigmas.push_back(lowest);
  for (const double t : levels.timesteps) levels.sigmas.push_back(sigma_of_timestep(schedule, int(t)));
  if (levels.sigmas[1] <= lowest)
    throw Error(ErrorKind::usage,
                "The first step up leads from the lowest noise level to itself; steps_offset "
                "1 or set_alpha_to_one would give it a way.");
  levels.initial_std = std::hypot(1, lowest);
  return levels;
}

}  // namespace

SchedulerSettings ddim_inverse(const Fields& fields) {
  Preconditioner preconditioner = discrete_preconditioner(fields, true);
  const LevelSettings up = levels_of(fields, LevelGrid::whole_timesteps, "leading").settings;
  if (up.spacing == Spacing::linspace) fields.only_text("timestep_spacing", "leading");
  const bool alpha_is_one = fields.flag("set_alpha_to_one", true);
  if (alpha_is_one && preconditioner.objective() == Objective::x0)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is true, and prediction_type is \"sample\": a picture without noise does not "
                            "tell where to go; accepted is false.",
                            fields.where("set_alpha_to_one")));
  SamplingRecipe s{.sampler = Ddim{}, .levels = up, .limit = estimate_limit(fields, true, true, false)};
  s.limit.spares_noise = s.limit.kind != EstimateLimit::Kind::none;
  s.level_rule = [up, alpha_is_one](const Preconditioner& p, int steps, const Sampler&) {
    return levels_upwards(*p.schedule(), steps, up, !alpha_is_one);
  };
  return settings(std::move(preconditioner), std::move(s));
}

}  // namespace diffusion::scheduler
