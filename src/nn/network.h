#pragma once

// The networks that a diffusion model can have.

#include <array>
#include <optional>
#include <string_view>
#include <variant>

#include "graph/graph.h"
#include "nn/convnext_config.h"
#include "nn/unet_config.h"

namespace diffusion {

using NetworkConfig = std::variant<UNetConfig, ConvNextConfig>;

// A network as a graph.
struct Network {
  Graph graph;
  Value sample;    // [N, in_channels, H, W]
  Value timestep;  // [N, 1, 1, 1], as a float; need not be whole unless the embedding is learned
  std::optional<Value> class_labels;  // [N, 1, 1, 1] whole numbers (table), any number (timestep), or
                                      // [N, time_embedding_width, 1, 1] (identity)
  Value output;                       // [N, out_channels, H, W]
};

// The network for batches of n images of height x width. Error(usage) if the config does not allow it.
Network make_network(const NetworkConfig& config, int n, int height, int width);

// What every network says of itself.
struct NetworkTraits {
  std::string_view type;           // "UNet2DModel", "ConvNextUNet"
  std::array<int, 2> sample_size;  // height, width; 0: not given
  int in_channels, out_channels;
  ClassEmbedding class_embed_type;
  int num_class_embeds;  // rows of the class table; one more than the classes if there is a null class
  int size_multiple;     // image sides must be multiples of this
};
NetworkTraits traits_of(const NetworkConfig& config);

// The config for other images, and for `class_rows` rows of a class table, 0 for none. Error(usage) if it
// knows no classes and class_rows is not 0.
NetworkConfig fitted_to(NetworkConfig config, std::array<int, 2> sample_size, int channels, int class_rows);

// By the file's _class_name, UNet2DModel if there is none. Errors as parse_unet_config.
NetworkConfig parse_network_config(const Json& json, std::string_view source);
Json to_json(const NetworkConfig& config);

// Error(usage) naming the field if no network can be made of it, or none for images of this size.
void validate(const NetworkConfig& config);
void validate_image_size(const NetworkConfig& config, int height, int width);

}  // namespace diffusion
