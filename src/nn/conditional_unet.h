#pragma once

#include <optional>

#include "nn/conditional_unet_config.h"
#include "nn/network_graph.h"
#include "nn/transformer_blocks.h"

namespace diffusion {

// Nodes of a graph: sample [N, in_channels, H, W], timestep [N, 1, 1, 1], and the class if the config asks
// for one, of the size that class_condition() says.
struct ConditionalUNetInputs {
  Value sample, timestep;
  std::optional<Value> class_label;
  Words words;
};

// The U-Net of latent diffusion (Rombach et al. 2022, arXiv 2112.10752; diffusers' UNet2DConditionModel): a
// U-Net whose blocks attend to words. Adds to the graph and returns the output, [N, out_channels, H, W].
// Parameters are called as in diffusers.
Value conditional_unet(Graph& graph, const ConditionalUNetConfig& config, const ConditionalUNetInputs& in);

// What the network is told of the class; nullopt: nothing.
std::optional<ConditionTraits> class_condition(const ConditionalUNetConfig& config);

}  // namespace diffusion
