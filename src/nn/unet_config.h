#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "graph/activation.h"

namespace diffusion {

enum class TimeEmbedding { positional, fourier, learned };
enum class ClassEmbedding { none, table, timestep, identity };
enum class Resampling { conv, resnet };

// The configuration of Hugging Face diffusers' UNet2DModel: unet/config.json. Names, defaults and meaning are
// theirs.
struct UNetConfig {
  std::array<int, 2> sample_size{0, 0};  // height, width; 0: not given
  int in_channels = 3, out_channels = 3;
  bool center_input_sample = false;  // x -> 2x - 1
  TimeEmbedding time_embedding_type = TimeEmbedding::positional;
  std::optional<int> time_embedding_dim;  // width of the embedding; not given: 4 block_out_channels[0]
  double freq_shift = 0;
  bool flip_sin_to_cos = true;
  std::vector<bool> down_block_attention{false, true, true, true};  // AttnDownBlock2D or DownBlock2D
  std::vector<bool> up_block_attention{true, true, true, false};    // AttnUpBlock2D or UpBlock2D
  bool mid_block = true;                                            // UNetMidBlock2D, or null
  std::vector<int> block_out_channels{224, 448, 672, 896};
  int layers_per_block = 2;
  double mid_block_scale_factor = 1;
  int downsample_padding = 1;  // 0: one row below and one column to the right
  Resampling downsample_type = Resampling::conv,
             upsample_type = Resampling::conv;  // of blocks with attention
  double dropout = 0;
  Activation act_fn = Activation::silu;
  std::optional<int> attention_head_dim = 8;  // none (null in the file): one head
  int norm_num_groups = 32;
  std::optional<int> attn_norm_num_groups;  // of the middle attention
  double norm_eps = 1e-5;
  bool scale_shift = false;   // resnet_time_scale_shift
  bool add_attention = true;  // in the middle
  ClassEmbedding class_embed_type = ClassEmbedding::none;
  int num_class_embeds = 0;     // rows of the class table; one more than the classes if there is a null class
  int num_train_timesteps = 0;  // rows of a learned time embedding
  // The last ones of in_channels are the condition "known" (kKnownCondition). Not in diffusers, for which all
  // are the sample's; in files only if it is not 0.
  int known_channels = 0;

  int time_embedding_width() const { return time_embedding_dim.value_or(4 * block_out_channels.at(0)); }
  int sample_channels() const { return in_channels - known_channels; }
  // Image sides must be multiples of this.
  int size_multiple() const { return 1 << (block_out_channels.size() - 1); }
};

// Reads a config.json of diffusers. Absent fields, and those named in _use_default_values, take their
// defaults, and null is kept apart from absent; unknown fields are collected in `ignored` as diffusers would
// warn. Error(bad_input) naming source and field for wrong types, impossible values and block types that we
// do not have.
UNetConfig parse_unet_config(const Json& json, std::string_view source,
                             std::vector<std::string>* ignored = nullptr);

// The JSON that diffusers reads; `_class_name` and `_diffusers_version` included.
Json to_json(const UNetConfig& config);

// Error(usage) naming the field if no network can be made of it.
void validate(const UNetConfig& config);

}  // namespace diffusion
