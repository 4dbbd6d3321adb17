#pragma once

// The networks that a diffusion model can have.

#include <array>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/conditional_unet_config.h"
#include "nn/convnext_config.h"
#include "nn/network_graph.h"
#include "nn/text_encoder_config.h"
#include "nn/unet_config.h"

namespace diffusion {

// A U-Net that attends to words, and the encoder that makes numbers of them. As one network it is told
// tokens.
struct WordsConfig {
  TextEncoderConfig text_encoder;
  ConditionalUNetConfig unet;
  bool trains_text_encoder = true;  // else its parameters are none to be trained
};

using NetworkConfig = std::variant<UNetConfig, ConvNextConfig, WordsConfig>;

// What a network is told for a timestep. It is the timestep itself, unless the embedding is learned: then it
// is the nearest row of the table (halves go up), so a timestep below the first row is told as 0, and one
// above the last as rows - 1.
double told_timestep(const TimeTraits& traits, double timestep);

// The network for batches of n images of height x width. Error(usage) if the config does not allow it.
Network make_network(const NetworkConfig& config, int n, int height, int width);

// What every network says of itself.
struct NetworkTraits {
  std::string_view type;           // of configuration files: "UNet2DModel", "ConvNextUNet"
  std::string_view title;          // for people: "U-Net"
  bool in_diffusers;               // whether Hugging Face's library has it
  std::array<int, 2> sample_size;  // height, width; 0: not given
  int in_channels, out_channels;   // of the sample, and of the output
  int size_multiple;               // image sides must be multiples of this
  TimeTraits time;
  std::vector<ConditionTraits> conditions;
  bool takes_dropout;  // whether there is a place for dropout in it

  const ConditionTraits* condition(std::string_view name) const;  // nullptr if it does not take it
  // Rows of the table of classes; one more than the classes if there is a null class. 0: there is no table.
  int class_rows() const;
  // Channels of the condition "known"; 0: it is told nothing of the sample.
  int known_channels() const;
  // Tokens of a text that it is told; 0: it knows no words.
  int text_length() const;
};
NetworkTraits traits_of(const NetworkConfig& config);

// The config with tokens of a vocabulary of so many. Error(usage) if it knows no words.
NetworkConfig with_vocabulary(NetworkConfig config, int tokens);

// The config with a text encoder that is given, and not trained; the U-Net sees words of its width.
// Error(usage) if it knows no words.
NetworkConfig with_given_text_encoder(NetworkConfig config, const TextEncoderConfig& text_encoder);

// Whether it is a network of words whose text encoder is not trained.
bool has_fixed_text_encoder(const NetworkConfig& config);

// The config for other images, for `class_rows` rows of a class table, 0 for none, and for `known_channels`
// of the condition "known". Error(usage) if it has no place for classes, or for what is known, and there are
// some. Classes take the place of the mean of words (ConditionalUNetConfig::class_is_mean_of_words).
NetworkConfig fitted_to(NetworkConfig config, std::array<int, 2> sample_size, int channels, int class_rows,
                        int known_channels = 0);

// The config with dropout of this probability. Error(usage) unless its traits say takes_dropout.
NetworkConfig with_dropout(NetworkConfig config, double probability);

Json to_json(const WordsConfig& config);
void validate(const WordsConfig& config);

// By the file's _class_name, UNet2DModel if there is none. Errors as parse_unet_config.
NetworkConfig parse_network_config(const Json& json, std::string_view source);
Json to_json(const NetworkConfig& config);

// Error(usage) naming the field if no network can be made of it, or none for images of this size.
void validate(const NetworkConfig& config);
void validate_image_size(const NetworkConfig& config, int height, int width);

}  // namespace diffusion
