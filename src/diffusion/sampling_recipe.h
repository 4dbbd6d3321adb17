#pragma once

// What a recipe (diffusion/recipe.h) comes to on a model.

#include <diffusion/recipe.h>
#include "diffusion/precondition.h"
#include "diffusion/spacings.h"

namespace diffusion {

// SamplerFacts::usual_steps, or fewer if the model has fewer timesteps; for ddpm all timesteps of the model,
// if it has any.
int default_steps(const Sampler& sampler, const Preconditioner& preconditioner);

// With the preconditioner of the model, see there.
SamplingRecipe with_sampler(SamplingRecipe recipe, const Sampler& sampler,
                            const Preconditioner& preconditioner);

struct SamplerOnLevels {
  Sampler sampler;
  NoiseLevels levels;
};

// The recipe's levels for its number of steps, and its sampler for a sampling on them: ddim gets `limit`,
// which was made from the recipe's, if that spares the noise. Error(usage) if another sampler would need to
// have it, and as noise_levels() or the recipe's level_rule.
SamplerOnLevels sampler_on_levels(const SamplingRecipe& recipe, const Preconditioner& preconditioner,
                                  const DenoisedLimit& limit = {});

}  // namespace diffusion
