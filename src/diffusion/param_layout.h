#pragma once

#include "nn/network.h"
#include "plan/param_store.h"

namespace diffusion {

// The parameters of a network, without memory for activations.
ParamLayout layout_of(const NetworkConfig& config);

}  // namespace diffusion
