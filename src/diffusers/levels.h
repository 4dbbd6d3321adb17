#pragma once

// Levels that are so because diffusers has them so: what its schedulers do to a spacing besides choosing it.

#include "diffusion/sampling_recipe.h"

namespace diffusion::scheduler {

// What the network is told at a sigma between two timesteps: both mixed (linear in log sigma), or a whole
// timestep.
enum class TimestepRounding { none, nearest, down };

// Standard deviation of the x to start from at the highest sigma: Preconditioner::initial_std, sigma, or
// sqrt(1 + sigma^2). Schedulers from k-diffusion differ from the others here.
enum class InitialStd { of_model, sigma, with_data };

struct Levels {
  LevelSettings settings = {};  // with a spacing; what another sampler or spacing would take over is here
  // leading, trailing or linspace: with the grid real_timesteps karras, exponential and beta span its levels.
  Spacing range = Spacing::linspace;
  TimestepRounding rounding = TimestepRounding::none;
  InitialStd initial_std = InitialStd::of_model;
  // Of a discrete model: Pndm::middles, at floor(T / steps / 2) timesteps below the first three (PNDM without
  // skip_prk_steps). They need 4 steps or more, and timesteps.
  bool has_middles = false;
  // The end is sigma_min, that of the settings or of the model, instead of 0; of a flow, the last level, so
  // that the last step does nothing.
  bool ends_at_sigma_min = false;
};

// A rule that gives these levels. Its errors are those of noise_levels(), and Error(usage) if there are too
// few or too many steps for middles.
LevelRule rule_of(const Levels& levels);

}  // namespace diffusion::scheduler
