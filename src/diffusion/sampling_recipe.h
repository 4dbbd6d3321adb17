#pragma once

// How to sample, as data: everything but which images.

#include <functional>

#include <diffusion/sampler.h>
#include "diffusion/guidance.h"
#include "diffusion/precondition.h"
#include "diffusion/spacings.h"

namespace diffusion {

// The levels of a sampling with so many steps, and what the sampler has to know of them
// (EulerAncestral::downs, say), which the rule writes. Error(usage) for numbers of steps that it does not
// have.
using LevelRule =
    std::function<NoiseLevels(const Preconditioner& preconditioner, int steps, Sampler& sampler)>;

struct SamplingRecipe {
  Sampler sampler = Ddim{};
  LevelSettings levels = {};
  LevelRule level_rule = {};  // of the model's scheduler, if it has levels that settings cannot say
  int steps = 50;
  EstimateLimit limit = {};
  Guidance guidance = {};
};

// SamplerFacts::usual_steps, or fewer if the model has fewer timesteps; for ddpm all timesteps of the model,
// if it has any.
int default_steps(const Sampler& sampler, const Preconditioner& preconditioner);

// The recipe with another sampler: its default number of steps, and its own reading of the spacing, or
// another spacing if it needs that on this model (SamplerFacts). What was peculiar to the levels of the
// sampler before goes with it. A sampler of the same name leaves all as it is, options and steps included.
SamplingRecipe with_sampler(SamplingRecipe recipe, const Sampler& sampler,
                            const Preconditioner& preconditioner);

// The recipe with another spacing, as its sampler reads it, without peculiarities of the levels before.
SamplingRecipe with_spacing(SamplingRecipe recipe, Spacing spacing);

struct SamplerOnLevels {
  Sampler sampler;
  NoiseLevels levels;
};

// The recipe's levels for its number of steps, and its sampler for a sampling on them: pndm gets their
// middles, and ddim `limit`, which was made from the recipe's, if that spares the noise. Error(usage) if
// another sampler would need to have them, and as noise_levels() or the recipe's level_rule.
SamplerOnLevels sampler_on_levels(const SamplingRecipe& recipe, const Preconditioner& preconditioner,
                                  const DenoisedLimit& limit = {});

}  // namespace diffusion
