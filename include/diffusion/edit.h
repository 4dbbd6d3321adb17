#pragma once

// What a trained model does with pictures that exist: other beginnings, and other ways, of the same samplers.
// Pictures are of the model's form, [H, W, C]; image k of a call is made from picture k mod their number, and
// is the same bytes whatever count, first and batch.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/generate.h>
#include <diffusion/image.h>

namespace diffusion {

struct EditOptions {
  GenerateOptions sampling = {};  // its `count` images
  // The share of the recipe's steps that are taken, from the picture with noise of the level where they
  // begin: SDEdit, Meng et al. 2021 (arXiv 2108.01073). 0 is the picture, 1 forgets it. At least one step is
  // taken.
  double strength = 0.6;
  // One channel, height x width of the pictures: 0 is known, 255 is to be drawn. Empty: all is drawn. With a
  // mask every step is taken with RePaint (Lugmayr et al. 2022, arXiv 2201.09865): known pixels are those of
  // the picture to the byte.
  Image mask = {};
  int jump = 10, resample = 10;  // levels of a jump; how often they are gone through in all. resample 1: once
};

// The first step of `steps` that an edit of this strength takes; `steps` for strength 0.
int first_step_of(double strength, int steps);

// Error(usage) if model, pictures and options do not fit, a strength outside [0, 1], a mask with other values
// or of another size, or one that says nothing (all of one value); Error(non_finite) if the network returns
// NaN. With a mask a step that on_step is told is one move of RePaint, up or down.
std::vector<Image> edit(const Model& model, const Device& device, std::span<const Image> pictures,
                        const EditOptions& options,
                        const std::function<void(const GenerateStep&)>& on_step = {});

// The noise from which the recipe's sampler makes the pictures, or nearly: for heun with two evaluations a
// step, for ddim and euler (DDIM inversion) with one, and less exactly. [N, C, H, W] of one for each picture
// (`count` says nothing), and GenerateOptions::noise for the same recipe. Without a recipe it is
// inversion_recipe(). Error(usage) for other samplers, and for those with fresh noise.
std::vector<float> invert(const Model& model, const Device& device, std::span<const Image> pictures,
                          const GenerateOptions& sampling,
                          const std::function<void(const GenerateStep&)>& on_step = {});

// heun with its default steps.
SamplingRecipe inversion_recipe(const Model& model);

// One end of an interpolation.
struct InterpolationEnd {
  std::uint64_t seed = 0;         // of the noise; image GenerateOptions::first of it
  std::vector<float> noise = {};  // [C, H, W], instead of the seed's
  std::optional<int> label = {};  // none: that of the options, or class 0
  std::string prompt = {};        // of models with words
};

// Pictures on the way from `a` to `b`, both included: picture k of n is k / (n - 1) of the way. Noise is
// turned (slerp), that which the sampler draws, too, so that the ends are what generate() makes of them.
// Between two classes or prompts it is D that is mixed. The options' count, label, prompts and noise say
// nothing. Error(usage) for less than 2 frames, and as generate().
std::vector<Image> interpolate(const Model& model, const Device& device, const InterpolationEnd& a,
                               const InterpolationEnd& b, int frames, const GenerateOptions& sampling,
                               const std::function<void(const GenerateStep&)>& on_step = {});

// The point at a share t of the great circle from a to b, its norm t of the way between theirs (Shoemake
// 1985); a and b themselves for 0 and 1. Parallel vectors are interpolated linearly.
std::vector<double> slerp(std::span<const double> a, std::span<const double> b, double t);

}  // namespace diffusion
