#pragma once

#include <optional>

#include "nn/conditional_unet_config.h"
#include "nn/network_graph.h"
#include "nn/transformer_blocks.h"

namespace diffusion {

// The condition "text": the states of a text encoder, [N, words_width, T, 1].
inline constexpr std::string_view kTextCondition = "text";

// The U-Net of latent diffusion (Rombach et al. 2022, arXiv 2112.10752; diffusers' UNet2DConditionModel): a
// U-Net whose blocks attend to words. Adds to `graph`, whose nodes `sample` [N, in_channels, H, W],
// `timestep` [N, 1, 1, 1], the class (if the config asks for one; sizes as class_condition() says) and the
// words are, and returns the output. Parameters are called as in diffusers.
struct ConditionalUNetInputs {
  Value sample, timestep;
  std::optional<Value> class_label;
  Words words;
};
Value conditional_unet(Graph& graph, const ConditionalUNetConfig& config, const ConditionalUNetInputs& in);

// What the network is told of the class; nullopt: nothing.
std::optional<ConditionTraits> class_condition(const ConditionalUNetConfig& config);

}  // namespace diffusion
