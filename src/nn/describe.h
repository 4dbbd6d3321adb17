#pragma once

// What `diffusion info` tells of a network.

#include <string>

#include "formats/json.h"
#include "nn/network.h"

namespace diffusion {

// The levels of resolution in one line: "32, 64 (attention) channels, 2 blocks each".
std::string describe_levels(const NetworkConfig& config);

// The fields of the configuration that decide them: {"block_out_channels": [32, 64], "layers_per_block": 2,
// ...}.
Json::Object levels_to_json(const NetworkConfig& config);

}  // namespace diffusion
