#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "graph/activation.h"

namespace diffusion {

// The configuration of Hugging Face transformers' CLIPTextModel: text_encoder/config.json. Names, defaults
// and meaning are theirs.
struct TextEncoderConfig {
  int vocab_size = 49408;
  int hidden_size = 512;
  int intermediate_size = 2048;
  int num_hidden_layers = 12;
  int num_attention_heads = 8;
  int max_position_embeddings = 77;  // T, tokens of a text
  Activation hidden_act = Activation::quick_gelu;
  double layer_norm_eps = 1e-5;
};

// Reads a config.json of a CLIPTextModel, or the text_config of a whole CLIP's. Absent fields take their
// defaults; unknown fields are collected in `ignored`. Error(bad_input) naming source and field for wrong
// types, impossible values, and what changes the numbers and is not supported.
TextEncoderConfig parse_text_encoder_config(const Json& json, std::string_view source,
                                            std::vector<std::string>* ignored = nullptr);

// The JSON that transformers reads.
Json to_json(const TextEncoderConfig& config);

// Error(usage) naming the field if no network can be made of it.
void validate(const TextEncoderConfig& config);

}  // namespace diffusion
