#pragma once

// How a model is sampled unless somebody says otherwise.

#include <string_view>

#include "diffusion/model.h"
#include "diffusion/sampling_recipe.h"

namespace diffusion {

// In default_recipe(): ddpm would need every timestep of a model, so its scheduler says where to step, but
// not how.
inline constexpr std::string_view kSamplerInsteadOfDdpm = "dpmpp_3m_sde";

// The sampler of models whose D is a consistency function (`diffusion distill`), and its noise levels.
// diffusion.json names it, because scheduler_config.json cannot for every objective; diffusers ignores that.
// Limits of D stay as in `scheduler`.
SamplingRecipe consistency_sampling(const SamplingRecipe& scheduler, const Preconditioner& preconditioner);

}  // namespace diffusion
