#pragma once

// How to sample, as data: everything but which images.

#include "diffusion/guidance.h"
#include "diffusion/precondition.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/spacings.h"

namespace diffusion {

struct SamplingRecipe {
  Sampler sampler = Ddim{};
  LevelSettings levels = {};
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

// The recipe's sampler for a sampling on these levels, which were made from its settings: pndm gets their
// middles, and ddim `limit`, which was made from the recipe's, if that spares the noise. Error(usage) if
// another sampler would need to have them.
Sampler sampler_on(const SamplingRecipe& recipe, const NoiseLevels& levels, const DenoisedLimit& limit);

}  // namespace diffusion
