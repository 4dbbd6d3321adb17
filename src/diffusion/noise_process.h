#pragma once

// The kinds of noise process. Each is a small struct, its parameters, with the same functions:
//   check()                 Error(usage) if a parameter is out of range
//   facts()                 what others have to know of it
//   scalings(sigma)         of D, see precondition.h; sigma is positive and finite
//   range()                 the lowest and highest noise level of the model
//   sigma_at(u)             the noise level below which a share u of the training examples lies, u in [0, 1);
//                           for uniform u, one that is drawn
//   initial_std(sigma)      standard deviation of the x that a sampler starts from: x = initial_std n
//   picture_scale(sigma)    x times this is the state as papers have it, in the range of a picture
//   levels(steps, settings) of a sampling: sigmas without the end, and timesteps
//   text()                  what a person reads of it
// A process that lacks one does not compile (precondition.cpp). What its files say is in
// diffusers/scheduler_config.cpp, what a training configuration says in train/config.cpp.

#include <variant>

#include "diffusion/edm_process.h"
#include "diffusion/rectified_flow.h"
#include "diffusion/variance_preserving.h"

namespace diffusion {

using NoiseProcess = std::variant<VariancePreserving, EdmProcess, RectifiedFlow>;

}  // namespace diffusion
