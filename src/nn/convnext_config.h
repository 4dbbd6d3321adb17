#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "graph/activation.h"

namespace diffusion {

// The U-Net of the "annotated diffusion" tutorials: ConvNeXt blocks (Liu et al. 2022) with a 7x7 depthwise
// convolution, linear attention at every resolution, plain attention in the middle, strided and transposed
// 4x4 convolutions between. The defaults are the tutorial's: 2,992,180 parameters in 166 tensors for one
// channel.
struct ConvNextConfig {
  std::array<int, 2> sample_size{0, 0};  // height, width; 0: not given
  int channels = 1;                      // of the image, in and out
  int dim = 28;  // channels at full resolution; the first convolution gives dim / 3 * 2
  std::vector<int> dim_mults{1, 2, 4};  // channels of each level, in units of dim
  int block_mult = 2;                   // width inside a block
  int heads = 4, head_dim = 32;
  Activation activation = Activation::gelu_tanh;  // or gelu
  // The tutorials keep the output of the first level and never use it. True: the last block takes it.
  bool first_skip = false;

  // Image sides must be multiples of this.
  int size_multiple() const { return 1 << (dim_mults.size() - 1); }
};

// Errors as those of UNetConfig (nn/unet_config.h).
ConvNextConfig parse_convnext_config(const Json& json, std::string_view source);
Json to_json(const ConvNextConfig& config);  // "_class_name": "ConvNextUNet"
void validate(const ConvNextConfig& config);

}  // namespace diffusion
