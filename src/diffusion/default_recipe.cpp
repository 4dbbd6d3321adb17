#include "diffusion/default_recipe.h"

namespace diffusion {

SamplingRecipe scheduler_recipe(const Model& model) {
  if (model.sampling) return *model.sampling;
  SamplingRecipe recipe = parse_scheduler(scheduler_config_of(model), "scheduler_config.json").sampling;
  recipe.limit = {.kind = model.clip_x0 ? EstimateLimit::Kind::clip : EstimateLimit::Kind::none};
  return recipe;
}

SamplingRecipe default_recipe(const Model& model) {
  const SamplingRecipe own = scheduler_recipe(model);
  if (!std::holds_alternative<Ddpm>(own.sampler)) return own;
  return with_sampler(own, find_sampler(kSamplerInsteadOfDdpm), model.preconditioner);
}

}  // namespace diffusion
