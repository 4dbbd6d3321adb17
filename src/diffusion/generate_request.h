#pragma once

// What a call of generate() or of its kin asks for, worked out for a model.

#include <cstddef>

#include <diffusion/conditions.h>
#include <diffusion/generate.h>
#include "diffusion/model.h"

namespace diffusion {

// Error(usage) if the model cannot do what is asked for.
void check_request(const Model& model, const SamplingRecipe& recipe, const GenerateOptions& options);

// Of one image.
struct PictureSize {
  int channels, height, width;
  std::size_t elements() const { return std::size_t(channels) * std::size_t(height) * std::size_t(width); }
};

// Error(usage) if neither model nor options tell it, and for noise of another size.
PictureSize size_of(const Model& model, const GenerateOptions& options);

// What the network is told of the images `first`, first + 1, ..., counted as their seed counts them.
Conditions conditions_of(const Model& model, const GenerateOptions& options, int first, int count);

// What guidance is away from; empty: from another model.
Conditions unconditional_of(const Model& model, const GenerateOptions& options, int count);

}  // namespace diffusion
