#include "diffusion/default_recipe.h"

#include <utility>

#include "diffusion/sampling_recipe.h"

namespace diffusion {

SamplingRecipe usual_recipe(const Preconditioner& preconditioner) {
  SamplingRecipe recipe{.sampler = Ddpm{},
                        .levels = {.spacing = Spacing::trailing, .range = Spacing::trailing}};
  if (preconditioner.edm())
    recipe = {.sampler = Euler{},
              .levels = {.spacing = Spacing::karras,
                         .grid = LevelGrid::real_timesteps,
                         .initial_std = InitialStd::with_data}};
  if (preconditioner.flow())
    recipe = {.sampler = Euler{},
              .levels = {.spacing = Spacing::linspace, .grid = LevelGrid::real_timesteps}};
  recipe.steps = default_steps(recipe.sampler, preconditioner);
  return recipe;
}

constexpr double kGuidanceOfWords = 3;

// Model::sampling, and for models without files usual_recipe(), with estimates limited as Model::clip_x0
// says.
SamplingRecipe scheduler_recipe(const Model& model) {
  // A model that is tuned for few steps has learned the guidance.
  const double guidance = model.tokenizer ? kGuidanceOfWords : 1;
  if (model.sampling) {
    SamplingRecipe recipe = *model.sampling;
    if (!facts_of(recipe.sampler).consistency) recipe.guidance.scale = guidance;
    return recipe;
  }
  SamplingRecipe recipe = usual_recipe(model.preconditioner);
  recipe.guidance.scale = guidance;
  recipe.limit = {.kind = model.clip_x0 ? EstimateLimit::Kind::clip : EstimateLimit::Kind::none};
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
