#include <diffusion/generate.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/image_sampling.h"
#include "diffusion/model.h"

namespace diffusion {

namespace {

void check_guide(const Model& model, const Guidance& guidance, const Model& guide) {
  const NetworkTraits ours = model.traits(), theirs = guide.traits();
  if (guidance.scale == 1)
    throw Error(ErrorKind::usage, "with guidance 1 the guide is not asked; give another strength");
  if (ours.in_channels != theirs.in_channels || model.class_count() != guide.class_count())
    throw Error(ErrorKind::usage,
                fmt::format("the guide makes images of {} channels and {} classes, the "
                            "model of {} and {}; they must be equal",
                            theirs.in_channels, guide.class_count(), ours.in_channels, model.class_count()));
}

void check(const Model& model, const SamplingRecipe& recipe, const GenerateOptions& options) {
  const auto require = [](bool holds, std::string_view what, auto value, std::string_view accepted) {
    if (!holds) throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", what, value, accepted));
  };
  require(options.count >= 1, "the number of images", options.count, "1 or more");
  require(options.first >= 0, "the index of the first image", options.first, "0 or more");
  require(options.count <= std::numeric_limits<int>::max() - options.first, "the number of images",
          options.count, "such that the index of the last fits 31 bits");
  require(options.batch >= 1, "the batch", options.batch, "1 or more");
  require(recipe.steps >= 1, "the number of steps", recipe.steps, "1 or more");
  require(std::isfinite(recipe.guidance.scale), "guidance", recipe.guidance.scale, "a finite number");
  if (options.label && model.class_count() == 0)
    throw Error(ErrorKind::usage, "this model knows no classes, so it takes no label");
  if (options.label && (*options.label < 0 || *options.label >= model.class_count()))
    throw Error(ErrorKind::usage, fmt::format("label {} is not a class of this model; accepted are 0 to {}",
                                              *options.label, model.class_count() - 1));
  if (recipe.guidance.scale != 1 && !model.null_class && !model.tokenizer && !options.guide)
    throw Error(ErrorKind::usage,
                "guidance needs a model that was trained with label dropout (a null class), which this one "
                "was not, or another "
                "model as a guide");
  // What cannot be told in tokens is an error before anything is drawn.
  static_cast<void>(prompt_tokens(model, options.prompts));
  if (!options.negative_prompt.empty())
    static_cast<void>(prompt_tokens(model, std::span(&options.negative_prompt, 1)));
  if (options.guide) check_guide(model, recipe.guidance, *options.guide);
}

Conditions conditions_of(const Model& model, const GenerateOptions& options, int first, int count) {
  std::vector<int> labels;
  if (model.class_count() > 0)
    for (int k = first; k < first + count; ++k)
      labels.push_back(options.label.value_or(k % model.class_count()));
  Conditions conditions = class_labels(model, labels);
  if (!model.tokenizer) return conditions;
  std::vector<std::string> prompts;
  for (int k = first; k < first + count; ++k)
    prompts.push_back(options.prompts.empty() ? ""
                                              : options.prompts[std::size_t(k) % options.prompts.size()]);
  conditions.merge(prompt_tokens(model, prompts));
  return conditions;
}

// What guidance is away from, if that is not another model.
Conditions unconditional(const Model& model, const GenerateOptions& options, int count) {
  if (options.guide) return {};
  Conditions conditions;
  if (model.null_class)
    conditions = class_labels(model, std::vector<int>(std::size_t(count), *model.null_class));
  if (model.tokenizer)
    conditions.merge(
        prompt_tokens(model, std::vector<std::string>(std::size_t(count), options.negative_prompt)));
  return conditions;
}

struct Size {
  int channels, height, width;
  std::size_t elements() const { return std::size_t(channels) * std::size_t(height) * std::size_t(width); }
};

Size size_of(const Model& model, const GenerateOptions& options) {
  const NetworkTraits traits = model.traits();
  const Size size{traits.in_channels, options.height > 0 ? options.height : traits.sample_size[0],
                  options.width > 0 ? options.width : traits.sample_size[1]};
  if (size.height == 0 || size.width == 0)
    throw Error(ErrorKind::usage, "the model has no sample_size; give height and width");
  const std::size_t needed = std::size_t(options.count) * size.elements();
  if (!options.noise.empty() && options.noise.size() != needed)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} numbers of noise were given; {} images of {} x {} x {} start from {}",
                    options.noise.size(), options.count, size.channels, size.height, size.width, needed));
  return size;
}

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
  check(model, recipe_of(model, options), options);
  const Size size = size_of(model, options);
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
                           unconditional(model, options, count), [&](const SamplerStep& step) {
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
