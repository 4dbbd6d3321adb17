#pragma once

#include <vector>

#include "nn/network_graph.h"
#include "nn/unet_config.h"

namespace diffusion {

// diffusers' UNet2DModel as a graph; parameters carry its state-dict names. The network for batches of n
// images of height x width. Error(usage) if the config does not allow it.
Network make_unet(const UNetConfig& config, int n, int height, int width);

// What it is told besides the timestep: the class in one of the forms of class_embed_type, or nothing.
std::vector<ConditionTraits> conditions_of(const UNetConfig& config);

}  // namespace diffusion
