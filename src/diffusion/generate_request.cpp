#include "diffusion/generate_request.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <diffusion/error.h>

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

}  // namespace

void check_request(const Model& model, const SamplingRecipe& recipe, const GenerateOptions& options) {
  const auto require = [](bool holds, std::string_view what, auto value, std::string_view accepted) {
    if (!holds) throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", what, value, accepted));
  };
  if (model.series) throw Error(ErrorKind::usage, "this model forecasts series, and makes no pictures");
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
  if (options.without_class && (options.label || (model.class_count() > 0 && !model.null_class)))
    throw Error(ErrorKind::usage,
                options.label ? "images are of a class or of none; give one of label and without_class"
                              : "this model does not know images of no class; give a label");
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
      labels.push_back(options.without_class ? *model.null_class
                                             : options.label.value_or(k % model.class_count()));
  Conditions conditions = class_labels(model, labels);
  if (!model.tokenizer) return conditions;
  std::vector<std::string> prompts;
  for (int k = first; k < first + count; ++k)
    prompts.push_back(options.prompts.empty() ? ""
                                              : options.prompts[std::size_t(k) % options.prompts.size()]);
  conditions.merge(prompt_tokens(model, prompts));
  return conditions;
}

Conditions unconditional_of(const Model& model, const GenerateOptions& options, int count) {
  if (options.guide) return {};
  Conditions conditions;
  if (model.null_class)
    conditions = class_labels(model, std::vector<int>(std::size_t(count), *model.null_class));
  if (model.tokenizer)
    conditions.merge(
        prompt_tokens(model, std::vector<std::string>(std::size_t(count), options.negative_prompt)));
  return conditions;
}

PictureSize size_of(const Model& model, const GenerateOptions& options) {
  const NetworkTraits traits = model.traits();
  const PictureSize size{traits.in_channels, options.height > 0 ? options.height : traits.sample_size[0],
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

}  // namespace diffusion
