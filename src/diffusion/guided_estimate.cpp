#include "diffusion/guided_estimate.h"

#include <algorithm>
#include <utility>

#include "diffusion/guidance.h"
#include "diffusion/model.h"

namespace diffusion {

PreparedRecipe prepare_recipe(const Model& model, const SamplingRecipe& recipe, std::size_t image_size) {
  check_guidance(recipe.guidance, image_size);
  DenoisedLimit limit = denoised_limit(recipe.limit, image_size);
  auto [sampler, levels] = sampler_on_levels(recipe, model.preconditioner, limit);
  return {recipe, std::move(levels), std::move(limit), std::move(sampler), image_size};
}

GuidedEstimate::GuidedEstimate(const PreparedRecipe& prepared, std::size_t count, Conditions conditions,
                               Conditions unconditional)
    : prepared_(prepared),
      count_(count),
      conditions_(std::move(conditions)),
      unconditional_(std::move(unconditional)) {}

GuidedEstimate::RowCounts GuidedEstimate::asked(double sigma) const {
  const GuidanceRows rows = guidance_rows(prepared_.recipe.guidance, sigma);
  const std::size_t strong = rows == GuidanceRows::weak ? 0 : count_,
                    weak = rows == GuidanceRows::strong ? 0 : count_;
  return unconditional_.empty() ? RowCounts{strong, weak} : RowCounts{strong + weak, 0};
}

void GuidedEstimate::ask(std::span<const double> x, double sigma, Rows& rows, Rows& guide_rows) const {
  const SampleLevel level{sigma, prepared_.levels.timestep_of(sigma)};
  const GuidanceRows needed = guidance_rows(prepared_.recipe.guidance, sigma);
  if (needed != GuidanceRows::weak) rows.append(count_, x, level, conditions_);
  if (needed == GuidanceRows::strong) return;
  if (unconditional_.empty())
    guide_rows.append(count_, x, {sigma}, conditions_);
  else
    rows.append(count_, x, level, unconditional_);
}

void GuidedEstimate::answer(double sigma, std::span<const double> denoised,
                            std::span<const double> guide_denoised, std::span<double> estimate) const {
  const std::size_t numbers = estimate.size();
  const GuidanceRows needed = guidance_rows(prepared_.recipe.guidance, sigma);
  const std::span<const double> weak = unconditional_.empty() ? guide_denoised : denoised.last(numbers);
  std::ranges::copy(needed == GuidanceRows::strong ? denoised : weak, estimate.begin());
  if (needed == GuidanceRows::both)
    guide_estimate(prepared_.recipe.guidance, denoised.first(numbers), estimate, prepared_.image_size);
  if (prepared_.limit && !prepared_.recipe.limit.spares_noise) prepared_.limit(estimate);
}

double GuidedEstimate::weight_of(std::size_t row, double sigma) const {
  const Guidance& guidance = prepared_.recipe.guidance;
  if (guidance_rows(guidance, sigma) != GuidanceRows::both) return 1;
  return row < count_ ? guidance.scale : 1 - guidance.scale;
}

}  // namespace diffusion
