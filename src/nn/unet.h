#pragma once

#include <optional>

#include "graph/graph.h"
#include "nn/unet_config.h"

namespace diffusion {

// A U-Net as a graph. Parameters carry the state-dict names of diffusers' UNet2DModel.
struct UNet {
  Graph graph;
  Value sample;    // [N, in_channels, H, W]
  Value timestep;  // [N, 1, 1, 1], as a float; need not be whole unless the embedding is learned
  std::optional<Value> class_labels;  // [N, 1, 1, 1] whole numbers (table), any number (timestep), or
                                      // [N, time_embedding_width, 1, 1] (identity)
  Value output;                       // [N, out_channels, H, W]
};

// The network for batches of n images of height x width. Error(usage) if the config does not allow it.
UNet make_unet(const UNetConfig& config, int n, int height, int width);

}  // namespace diffusion
