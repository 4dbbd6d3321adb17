#include <diffusion/generate.h>

#include <algorithm>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/generate_request.h"
#include "diffusion/image_sampling.h"
#include "diffusion/model.h"

namespace diffusion {

namespace {

// Drives one sampling to its end.
void finish(ImageSampling& sampling, NetworkEvaluator& evaluator, NetworkEvaluator* guide,
            std::size_t batch) {
  Rows rows, guide_rows;
  std::vector<double> denoised, guide_denoised;
  while (!sampling.finished()) {
    rows.clear();
    guide_rows.clear();
    sampling.ask(rows, guide_rows);
    denoise(evaluator, rows, batch, denoised);
    if (guide) denoise(*guide, guide_rows, batch, guide_denoised);
    sampling.answer(denoised, guide_denoised);
  }
}

}  // namespace

SamplingRecipe recipe_of(const Model& model, const GenerateOptions& options) {
  return options.recipe ? *options.recipe : default_recipe(model);
}

void start_noise(const GenerateOptions& options, int first_image, std::span<double> noise,
                 std::size_t elements_per_image) {
  const auto index = std::uint32_t(options.first + first_image);
  if (options.noise.empty()) return image_noise(options.seed, index, elements_per_image)(0, noise);
  std::ranges::copy(
      std::span(options.noise).subspan(std::size_t(first_image) * elements_per_image, noise.size()),
      noise.begin());
}

std::vector<Image> generate(const Model& model, const Device& device, const GenerateOptions& options,
                            const std::function<void(const GenerateStep&)>& on_step) {
  check_request(model, recipe_of(model, options), options);
  const PictureSize size = size_of(model, options);
  const PreparedRecipe prepared = prepare_recipe(model, recipe_of(model, options), size.elements());
  if (prepared.levels.sigmas.front() < prepared.levels.sigmas.back() && options.noise.empty())
    throw Error(
        ErrorKind::usage,
        "the scheduler of this model leads from pictures up to noise, so there are pictures to be given "
        "as the noise to start from; with a spacing, or another sampler than ddim, it samples as usual");
  const int batch = std::min(options.batch, options.count);
  NetworkEvaluator evaluator(model, device, batch, size.height, size.width);
  std::optional<NetworkEvaluator> guide;
  if (options.guide) guide.emplace(*options.guide, device, batch, size.height, size.width);

  std::vector<Image> images;
  std::vector<double> shown;  // the state as papers have it
  const auto show = [&](std::span<const double> x, double sigma) {
    const double scale = model.preconditioner.picture_scale(sigma);
    shown.assign(x.begin(), x.end());
    for (double& value : shown) value *= scale;
  };
  for (int done = 0; done < options.count;) {
    const int count = std::min(batch, options.count - done), first = options.first + done;
    std::vector<double> noise(std::size_t(count) * size.elements());
    start_noise(options, done, noise, size.elements());
    ImageSampling sampling(prepared, {options.seed, std::uint32_t(first), std::size_t(count)},
                           std::move(noise), conditions_of(model, options, first, count),
                           unconditional_of(model, options, count), [&](const SamplerStep& step) {
                             if (!on_step) return;
                             show(step.x, step.sigma_next);
                             on_step({step.index, step.count, done, count, shown});
                           });
    finish(sampling, evaluator, guide ? &*guide : nullptr, std::size_t(count));
    show(sampling.x(), prepared.levels.sigmas.back());
    for (std::size_t k = 0; k < std::size_t(count); ++k)
      images.push_back(to_image(std::span(shown).subspan(k * size.elements(), size.elements()), size.channels,
                                size.height, size.width));
    done += count;
  }
  return images;
}

}  // namespace diffusion
