#include "diffusion/sampling_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/spacings.h"

namespace diffusion {

namespace {

// What stays of the settings of levels when sampler or spacing change.
LevelSettings levels_for(const SamplingRecipe& recipe, std::optional<Spacing> spacing) {
  return {.spacing = spacing,
          .grid = facts_of(recipe.sampler).grid,
          .steps_offset = recipe.levels.steps_offset,
          .rho = recipe.levels.rho,
          .shift = recipe.levels.shift};
}

}  // namespace

int default_steps(const Sampler& sampler, const Preconditioner& preconditioner) {
  const int usual = facts_of(sampler).usual_steps;
  const int all = preconditioner.facts().discrete_levels;
  if (all == 0) return usual;
  return std::holds_alternative<Ddpm>(sampler) ? all : std::min(usual, all);
}

SamplingRecipe with_sampler(SamplingRecipe recipe, const Sampler& sampler,
                            const Preconditioner& preconditioner) {
  if (name_of(sampler) == name_of(recipe.sampler)) return recipe;
  std::optional<Spacing> spacing = recipe.levels.spacing;
  if (facts_of(sampler).small_steps && !preconditioner.facts().small_steps) spacing = Spacing::logsnr;
  if (facts_of(sampler).consistency) spacing = Spacing::angle;
  recipe.sampler = sampler;
  recipe.levels = levels_for(recipe, spacing);
  recipe.level_rule = {};
  recipe.steps = default_steps(sampler, preconditioner);
  recipe.limit.spares_noise = false;
  return recipe;
}

SamplingRecipe with_spacing(SamplingRecipe recipe, Spacing spacing) {
  recipe.levels = levels_for(recipe, spacing);
  recipe.level_rule = {};
  return recipe;
}

SamplerOnLevels sampler_on_levels(const SamplingRecipe& recipe, const Preconditioner& preconditioner,
                                  const DenoisedLimit& limit) {
  Sampler sampler = recipe.sampler;
  NoiseLevels levels = recipe.level_rule ? recipe.level_rule(preconditioner, recipe.steps, sampler)
                                         : noise_levels(preconditioner, recipe.steps, recipe.levels);
  if (recipe.limit.spares_noise) {
    Ddim* ddim = std::get_if<Ddim>(&sampler);
    if (!ddim)
      throw Error(ErrorKind::usage,
                  fmt::format("The sampler {} cannot limit the picture and spare the noise; "
                              "ddim can.",
                              name_of(sampler)));
    ddim->limit = limit;
  }
  return {std::move(sampler), std::move(levels)};
}

}  // namespace diffusion
