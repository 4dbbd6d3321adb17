#include "diffusion/default_recipe.h"

#include <utility>

#include "diffusion/sampling_recipe.h"

namespace diffusion {

// Without guidance a model follows words loosely.
constexpr double kGuidanceOfWords = 3;

SamplingRecipe scheduler_recipe(const Model& model) {
  SamplingRecipe recipe = model.sampling;
  if (model.tokenizer) recipe.guidance.scale = kGuidanceOfWords;
  return recipe;
}

SamplingRecipe default_recipe(const Model& model) {
  const SamplingRecipe own = scheduler_recipe(model);
  if (!std::holds_alternative<Ddpm>(own.sampler)) return own;
  return with_sampler(own, find_sampler(kSamplerInsteadOfDdpm), model.preconditioner);
}

SamplingRecipe with_sampler(SamplingRecipe recipe, const Sampler& sampler, const Model& model) {
  return with_sampler(std::move(recipe), sampler, model.preconditioner);
}

NoiseLevels levels_of(const SamplingRecipe& recipe, const Model& model) {
  return sampler_on_levels(recipe, model.preconditioner).levels;
}

SamplingRecipe consistency_sampling(const SamplingRecipe& scheduler, const Preconditioner& preconditioner) {
  EstimateLimit limit = scheduler.limit;
  limit.spares_noise = false;
  return {.sampler = Consistency{},
          .levels = {.spacing = Spacing::angle},
          .steps = default_steps(Consistency{}, preconditioner),
          .limit = limit};
}

}  // namespace diffusion
