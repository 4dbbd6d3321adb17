#pragma once

// From noise to pictures with a model.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/recipe.h>

namespace diffusion {

class Device;  // device.h
struct Model;  // models.h

// What to sample. Image k of a seed is the same bytes whatever count, first and batch.
struct GenerateOptions {
  std::optional<SamplingRecipe> recipe = {};  // none: default_recipe()
  int count = 64;
  int first = 0;  // index of the first image
  std::uint64_t seed = 0;
  std::optional<int> label = {};  // none: image k is of class k mod ModelFacts::class_count
  bool without_class = false;     // of none, which the model must know (ModelFacts::has_guidance)
  // For models with words: image k is of prompt k mod their number; none: of no words.
  std::vector<std::string> prompts = {};
  std::string negative_prompt = {};  // what guidance is away from; empty: no words
  // The recipe's guidance is away from the null class, or from this if it is given: another model for the
  // same kind of images, which must outlive the call.
  const Model* guide = nullptr;
  std::vector<float> noise =
      {};          // [count, C, H, W], N(0, 1), to start from instead of the seed's; empty: the seed's
  int batch = 64;  // images in flight
  int height = 0, width = 0;  // 0: the model's sample_size
};

// That of the options, or else the model's default.
SamplingRecipe recipe_of(const Model& model, const GenerateOptions& options);

// The N(0, 1) that images first_image, first_image + 1, ... of a call start from; noise is as many whole
// images as fit.
void start_noise(const GenerateOptions& options, int first_image, std::span<double> noise,
                 std::size_t elements_per_image);

// Called after every step of every batch. `x`, [images, C, H, W], is the state of the images first_image,
// first_image + 1, ... of the call as papers have it, which stays in the range of a picture: the VP form
// x / sqrt(1 + sigma^2), or x_t of a flow. After the last step it is the result before rounding.
struct GenerateStep {
  int step, steps;
  int first_image, images;
  std::span<const double> x;
};

// Error(usage) if model and options do not fit, Error(non_finite) if the network returns NaN.
std::vector<Image> generate(const Model& model, const Device& device, const GenerateOptions& options,
                            const std::function<void(const GenerateStep&)>& on_step = {});

}  // namespace diffusion
