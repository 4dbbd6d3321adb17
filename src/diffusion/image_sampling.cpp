#include "diffusion/image_sampling.h"

#include <algorithm>
#include <utility>

#include "diffusion/guidance.h"
#include "diffusion/sampling_recipe.h"

namespace diffusion {

namespace {

std::vector<double> scaled(std::vector<double> noise, double std) {
  for (double& value : noise) value *= std;
  return noise;
}

}  // namespace

PreparedRecipe prepare_recipe(const Model& model, const SamplingRecipe& recipe, std::size_t image_size) {
  check_guidance(recipe.guidance, image_size);
  DenoisedLimit limit = denoised_limit(recipe.limit, image_size);
  auto [sampler, levels] = sampler_on_levels(recipe, model.preconditioner, limit);
  return {recipe, std::move(levels), std::move(limit), std::move(sampler), image_size};
}

ImageSampling::ImageSampling(const PreparedRecipe& prepared, const ImageRange& images,
                             std::vector<double> noise, Conditions conditions, Conditions unconditional,
                             StepCallback on_step)
    : prepared_(prepared),
      count_(images.count),
      conditions_(std::move(conditions)),
      unconditional_(std::move(unconditional)),
      sampling_(prepared.sampler, prepared.levels.sigmas,
                scaled(std::move(noise), prepared.levels.initial_std),
                image_noise(images.seed, images.first, prepared.image_size), std::move(on_step)) {}

ImageSampling::RowCounts ImageSampling::asked() const {
  const GuidanceRows rows = guidance_rows(prepared_.recipe.guidance, sampling_.question()->sigma);
  const std::size_t strong = rows == GuidanceRows::weak ? 0 : count_,
                    weak = rows == GuidanceRows::strong ? 0 : count_;
  return unconditional_.empty() ? RowCounts{strong, weak} : RowCounts{strong + weak, 0};
}

void ImageSampling::ask(Rows& rows, Rows& guide_rows) const {
  const Question& question = *sampling_.question();
  const SampleLevel level{question.sigma, prepared_.levels.timestep_of(question.sigma)};
  const GuidanceRows needed = guidance_rows(prepared_.recipe.guidance, question.sigma);
  if (needed != GuidanceRows::weak) rows.append(count_, question.x, level, conditions_);
  if (needed == GuidanceRows::strong) return;
  if (unconditional_.empty())
    guide_rows.append(count_, question.x, {question.sigma}, conditions_);
  else
    rows.append(count_, question.x, level, unconditional_);
}

void ImageSampling::answer(std::span<const double> denoised, std::span<const double> guide_denoised) {
  const Question& question = *sampling_.question();
  const std::size_t numbers = question.x.size();
  const GuidanceRows needed = guidance_rows(prepared_.recipe.guidance, question.sigma);
  const std::span<const double> weak = unconditional_.empty() ? guide_denoised : denoised.last(numbers);
  std::ranges::copy(needed == GuidanceRows::strong ? denoised : weak, question.denoised.begin());
  if (needed == GuidanceRows::both)
    guide_estimate(prepared_.recipe.guidance, denoised.first(numbers), question.denoised,
                   prepared_.image_size);
  if (prepared_.limit && !prepared_.recipe.limit.spares_noise) prepared_.limit(question.denoised);
  sampling_.answer();
}

}  // namespace diffusion
