#pragma once

// How a model is sampled unless somebody says otherwise.

#include <string_view>

#include "diffusion/model.h"
#include "diffusion/sampling_recipe.h"

namespace diffusion {

// ddpm would need every timestep of a model, so its scheduler says where to step, but not how.
inline constexpr std::string_view kSamplerInsteadOfDdpm = "dpmpp_3m_sde";

// What the model's own scheduler does: Model::sampling, and for models without files what their files would
// say, with estimates limited as Model::clip_x0 says.
SamplingRecipe scheduler_recipe(const Model& model);

// That, but with kSamplerInsteadOfDdpm for ddpm: what `diffusion sample` does without options.
SamplingRecipe default_recipe(const Model& model);

}  // namespace diffusion
