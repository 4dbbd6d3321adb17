#pragma once

// Pictures that somebody may have changed so that a classifier errs, made clean by a model: with so much
// noise that the change drowns, then denoised (DiffPure, Nie et al. 2022, arXiv 2205.07460). It makes
// attacks harder, and is no guarantee of anything (docs/purification.md).

#include <functional>
#include <span>
#include <vector>

#include <diffusion/generate.h>
#include <diffusion/image.h>

namespace diffusion {

struct PurifyOptions {
  // Its `count` images, of which image k is made from picture k mod their number. Of no class unless there is
  // a label: who purifies does not know it. Without a recipe it is purification_recipe().
  GenerateOptions sampling = {};
  double level = 0.2;  // the recommended sigma of the noise, pixels being from -1 to 1
};

// ddpm, fresh noise in every step as DiffPure has it. One step: more of them cost evaluations, and the
// classifier was not right more often (docs/purification.md).
SamplingRecipe purification_recipe(const Model& model);

// The recipe with the levels that purification takes: as many as it has steps, from `level` down to 0, evenly
// in arctan sigma. Error(usage) for a level that the model does not know, naming those that it does.
SamplingRecipe from_level(SamplingRecipe recipe, const Model& model, double level);

// Pictures are of the model's form, [H, W, C]. Image k of a seed is the same bytes whatever count, first and
// batch. Error(usage) if model, pictures and options do not fit; Error(non_finite) if the network returns
// NaN.
std::vector<Image> purify(const Model& model, const Device& device, std::span<const Image> pictures,
                          const PurifyOptions& options,
                          const std::function<void(const GenerateStep&)>& on_step = {});

}  // namespace diffusion
