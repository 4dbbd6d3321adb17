#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "graph/activation.h"

namespace diffusion {

// The configuration of Hugging Face diffusers' UNet2DConditionModel: unet/config.json. Names, defaults and
// meaning are theirs, except where said; lists have an element for each level, the finest first.
//
// class_is_mean_of_words is ours: what the network is told as class_labels is the mean of the words' hidden
// states, [N, words_width()]. The file says so by "class_labels_from", which diffusers passes over: there
// class_labels = encoder_hidden_states.mean(1).
struct ConditionalUNetConfig {
  enum class ClassEmbedding { none, table, timestep, identity, projection, simple_projection };

  std::array<int, 2> sample_size{0, 0};  // height, width; 0: not given
  int in_channels = 4, out_channels = 4;
  bool center_input_sample = false;  // x -> 2x - 1
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::vector<bool> down_block_attention{true, true, true, false};  // CrossAttnDownBlock2D or DownBlock2D
  std::vector<bool> up_block_attention{false, true, true, true};    // CrossAttnUpBlock2D or UpBlock2D
  enum class Middle { attention, plain, none };
  Middle middle = Middle::attention;  // UNetMidBlock2DCrossAttn, UNetMidBlock2D, or null
  std::vector<bool> only_cross_attention{false, false, false, false};
  std::vector<int> block_out_channels{320, 640, 1280, 1280};
  std::vector<int> layers_per_block{2, 2, 2, 2};
  int downsample_padding = 1;  // 0: one row below and one column to the right
  double mid_block_scale_factor = 1;
  double dropout = 0;
  Activation act_fn = Activation::silu;
  int norm_num_groups = 32;
  double norm_eps = 1e-5;
  std::vector<int> cross_attention_dim{1280, 1280, 1280, 1280};
  std::vector<int> transformer_layers_per_block{1, 1, 1, 1};
  std::vector<int> heads{8, 8, 8, 8};  // attention_head_dim in the file, which despite its name counts heads
  bool use_linear_projection = false;
  ClassEmbedding class_embed_type = ClassEmbedding::none;
  int num_class_embeds = 0;                       // rows of the class table
  int projection_class_embeddings_input_dim = 0;  // of (simple_)projection
  bool class_embeddings_concat = false;           // class beside time, not added to it
  bool class_is_mean_of_words = false;            // see below
  bool scale_shift = false;                       // resnet_time_scale_shift
  std::optional<int> time_embedding_dim;          // not given: 4 block_out_channels[0]
  Activation time_embedding_act_fn = Activation::none, timestep_post_act = Activation::none;
  int conv_in_kernel = 3, conv_out_kernel = 3;

  std::size_t levels() const { return block_out_channels.size(); }
  int time_embedding_width() const { return time_embedding_dim.value_or(4 * block_out_channels.at(0)); }
  // Numbers of a token as the network sees it.
  int words_width() const { return cross_attention_dim.at(0); }
  // Image sides must be multiples of this.
  int size_multiple() const { return 1 << (block_out_channels.size() - 1); }
};

// Reads a config.json of diffusers. Absent fields, and those named in _use_default_values, take their
// defaults; unknown fields are collected in `ignored`. Error(bad_input) naming source and field for wrong
// types, impossible values, and what changes the numbers and is not supported.
ConditionalUNetConfig parse_conditional_unet_config(const Json& json, std::string_view source,
                                                    std::vector<std::string>* ignored = nullptr);

// The JSON that diffusers reads; `_class_name` and `_diffusers_version` included.
Json to_json(const ConditionalUNetConfig& config);

// Error(usage) naming the field if no network can be made of it.
void validate(const ConditionalUNetConfig& config);

}  // namespace diffusion
