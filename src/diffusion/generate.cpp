#include "diffusion/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "diffusion/denoiser.h"
#include "diffusion/guidance.h"
#include "diffusion/samplers.h"

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
  if (recipe.guidance.scale != 1 && !model.null_class && !options.guide)
    throw Error(ErrorKind::usage,
                "guidance needs a model that was trained with label dropout (a null class), which this one "
                "was not, or another "
                "model as a guide");
  if (options.guide) check_guide(model, recipe.guidance, *options.guide);
}

std::vector<int> labels_of(const Model& model, const GenerateOptions& options, int first, int count) {
  std::vector<int> labels;
  if (model.class_count() > 0)
    for (int k = first; k < first + count; ++k)
      labels.push_back(options.label.value_or(k % model.class_count()));
  return labels;
}

// D of a batch, with guidance.
Denoiser guided(NetworkDenoiser& denoiser, NetworkDenoiser* guide, const Model& model,
                const Guidance& guidance, const std::vector<int>& labels, std::size_t image_size) {
  const Denoiser d = denoiser.with_labels(labels);
  if (guidance.scale == 1) return d;
  if (guide) return autoguidance(d, guide->with_labels(labels), guidance, image_size);
  const std::vector<int> no_class(labels.size(), *model.null_class);
  return classifier_free_guidance(d, denoiser.with_labels(no_class), guidance, image_size);
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

std::vector<Image> generate(Model& model, const Device& device, const GenerateOptions& options,
                            const std::function<void(const GenerateStep&)>& on_step) {
  const SamplingRecipe recipe = recipe_of(model, options);
  check(model, recipe, options);
  const int height = options.height > 0 ? options.height : model.traits().sample_size[0];
  const int width = options.width > 0 ? options.width : model.traits().sample_size[1];
  if (height == 0 || width == 0)
    throw Error(ErrorKind::usage, "the model has no sample_size; give height and width");
  const int channels = model.traits().in_channels;
  const std::size_t image_size = std::size_t(channels) * std::size_t(height) * std::size_t(width);
  if (!options.noise.empty() && options.noise.size() != std::size_t(options.count) * image_size)
    throw Error(ErrorKind::usage,
                fmt::format("{} numbers of noise were given; {} images of {} x {} x {} start from {}",
                            options.noise.size(), options.count, channels, height, width,
                            std::size_t(options.count) * image_size));
  const NoiseLevels levels = noise_levels(model.preconditioner, recipe.steps, recipe.levels);
  const double end_scale = model.preconditioner.picture_scale(levels.sigmas.back());
  const DenoisedLimit limit = denoised_limit(recipe.limit, image_size);
  const Sampler sampler = sampler_on(recipe, levels, limit);

  std::vector<Image> images;
  std::vector<double> x, shown;
  std::unique_ptr<NetworkDenoiser> denoiser, guide;
  int denoiser_batch = 0;
  for (int done = 0; done < options.count;) {
    const int batch = std::min(options.batch, options.count - done), first = options.first + done;
    if (batch != denoiser_batch) {
      denoiser = std::make_unique<NetworkDenoiser>(model, device, batch, height, width);
      denoiser->set_levels(levels);
      if (options.guide)
        guide = std::make_unique<NetworkDenoiser>(*options.guide, device, batch, height, width);
      denoiser_batch = batch;
    }
    Denoiser d = guided(*denoiser, guide.get(), model, recipe.guidance,
                        labels_of(model, options, first, batch), image_size);
    if (limit && !recipe.limit.spares_noise) d = limit_denoised(std::move(d), limit);

    x.resize(std::size_t(batch) * image_size);
    start_noise(options, done, x, image_size);
    for (double& value : x) value *= levels.initial_std;
    run_sampler(sampler, d, levels.sigmas, image_noise(options.seed, std::uint32_t(first), image_size), x,
                [&](const SamplerStep& s) {
                  if (!on_step) return;
                  const double scale = model.preconditioner.picture_scale(s.sigma_next);
                  shown.assign(s.x.begin(), s.x.end());
                  for (double& value : shown) value *= scale;
                  on_step({s.index, s.count, done, batch, shown});
                });
    for (double& value : x) value *= end_scale;
    for (int k = 0; k < batch; ++k)
      images.push_back(
          to_image(std::span(x).subspan(std::size_t(k) * image_size, image_size), channels, height, width));
    done += batch;
  }
  return images;
}

}  // namespace diffusion
