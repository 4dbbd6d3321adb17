#pragma once

#include "nn/convnext_config.h"
#include "nn/network_graph.h"

namespace diffusion {

// Parameters carry the names of the tutorials' PyTorch module: downs.0.0.ds_conv.weight,
// mid_attn.fn.fn.to_qkv.weight.
Network make_convnext_unet(const ConvNextConfig& config, int n, int height, int width);

}  // namespace diffusion
