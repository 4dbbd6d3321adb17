#include "nn/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>

#include "formats/json_fields.h"
#include "nn/conditional_unet.h"
#include "nn/convnext_unet.h"
#include "nn/network_copies.h"
#include "nn/text_encoder.h"
#include "nn/unet.h"

namespace diffusion {

namespace {

constexpr const char* kWordsType =
    "WordsUNet";  // in a run's own configuration; files have each part by itself

NetworkTraits traits(const UNetConfig& c) {
  return {.type = "UNet2DModel",
          .title = "U-Net",
          .in_diffusers = true,
          .sample_size = c.sample_size,
          .in_channels = c.sample_channels(),
          .out_channels = c.out_channels,
          .size_multiple = c.size_multiple(),
          .time = {.rows = c.time_embedding_type == TimeEmbedding::learned ? c.num_train_timesteps : 0,
                   .positive = c.time_embedding_type == TimeEmbedding::fourier},
          .conditions = conditions_of(c),
          .takes_dropout = true};
}

NetworkTraits traits(const ConvNextConfig& c) {
  return {.type = "ConvNextUNet",
          .title = "ConvNeXt U-Net",
          .in_diffusers = false,
          .sample_size = c.sample_size,
          .in_channels = c.channels,
          .out_channels = c.channels,
          .size_multiple = c.size_multiple(),
          .time = {},
          .conditions = {},
          .takes_dropout = false};
}

ConditionTraits tokens_condition(const TextEncoderConfig& c) {
  return {kTokensCondition, ConditionTraits::Kind::row, c.max_position_embeddings, c.vocab_size};
}

NetworkTraits traits(const WordsConfig& c) {
  NetworkTraits t{.type = "UNet2DConditionModel",
                  .title = "U-Net with words",
                  .in_diffusers = true,
                  .sample_size = c.unet.sample_size,
                  .in_channels = c.unet.in_channels,
                  .out_channels = c.unet.out_channels,
                  .size_multiple = c.unet.size_multiple(),
                  .time = {},
                  .conditions = {tokens_condition(c.text_encoder)},
                  .takes_dropout = true};
  if (const auto classes = class_condition(c.unet)) t.conditions.push_back(*classes);
  return t;
}

Network make(const UNetConfig& c, int n, int height, int width) {
  return make_unet(c, n, height, width);
}

Network make(const ConvNextConfig& c, int n, int height, int width) {
  return make_convnext_unet(c, n, height, width);
}

Network make(const WordsConfig& c, int n, int height, int width) {
  validate(c);
  validate_image_size(c.unet.size_multiple(), height, width);
  Network net;
  Graph& g = net.graph;
  ConditionalUNetInputs in;
  in.sample = net.sample = g.input("sample", {n, c.unet.in_channels, height, width});
  in.timestep = net.timestep = g.input("timestep", {n, 1, 1, 1});
  const ConditionTraits tokens = tokens_condition(c.text_encoder);
  net.conditions.push_back({tokens, g.input("tokens", {n, 1, tokens.size, 1})});
  if (const auto classes = class_condition(c.unet)) {
    in.class_label = g.input("class_labels", {n, classes->size, 1, 1});
    net.conditions.push_back({*classes, *in.class_label});
  }
  net.hidden_states = text_encoder(g, c.text_encoder, net.conditions.front().value);
  in.words.states = *net.hidden_states;
  net.output = conditional_unet(g, c.unet, in);
  return c.trains_text_encoder ? std::move(net) : with_fixed_text_encoder(net);
}

}  // namespace

double told_timestep(const TimeTraits& traits, double timestep) {
  return traits.rows > 0 ? std::clamp(std::round(timestep), 0.0, double(traits.rows - 1)) : timestep;
}

const ConditionTraits* NetworkTraits::condition(std::string_view name) const {
  const auto found = std::ranges::find(conditions, name, &ConditionTraits::name);
  return found == conditions.end() ? nullptr : &*found;
}

int NetworkTraits::class_rows() const {
  const ConditionTraits* classes = condition(kClassCondition);
  return classes ? classes->rows : 0;
}

int NetworkTraits::known_channels() const {
  const ConditionTraits* known = condition(kKnownCondition);
  return known ? known->size : 0;
}

int NetworkTraits::text_length() const {
  const ConditionTraits* tokens = condition(kTokensCondition);
  return tokens ? tokens->size : 0;
}

Network make_network(const NetworkConfig& config, int n, int height, int width) {
  return std::visit([&](const auto& c) { return make(c, n, height, width); }, config);
}

NetworkTraits traits_of(const NetworkConfig& config) {
  return std::visit([](const auto& c) { return traits(c); }, config);
}

namespace {

WordsConfig& words_of(NetworkConfig& config) {
  if (auto* words = std::get_if<WordsConfig>(&config)) return *words;
  throw Error(ErrorKind::usage, fmt::format("the network {} knows no words", traits_of(config).type));
}

}  // namespace

NetworkConfig with_vocabulary(NetworkConfig config, int tokens) {
  words_of(config).text_encoder.vocab_size = tokens;
  return config;
}

NetworkConfig with_given_text_encoder(NetworkConfig config, const TextEncoderConfig& text_encoder) {
  WordsConfig& words = words_of(config);
  words.text_encoder = text_encoder;
  words.trains_text_encoder = false;
  std::ranges::fill(words.unet.cross_attention_dim, text_encoder.hidden_size);
  if (words.unet.class_is_mean_of_words)
    words.unet.projection_class_embeddings_input_dim = text_encoder.hidden_size;
  return config;
}

bool has_fixed_text_encoder(const NetworkConfig& config) {
  const auto* words = std::get_if<WordsConfig>(&config);
  return words && !words->trains_text_encoder;
}

NetworkConfig fitted_to(NetworkConfig config, std::array<int, 2> sample_size, int channels, int class_rows,
                        int known_channels) {
  if (known_channels > 0 && !std::holds_alternative<UNetConfig>(config))
    throw Error(ErrorKind::usage,
                fmt::format("the network {} has no place for what is known", traits_of(config).type));
  if (auto* unet = std::get_if<UNetConfig>(&config)) {
    unet->sample_size = sample_size;
    unet->in_channels = channels + known_channels;
    unet->out_channels = channels;
    unet->known_channels = known_channels;
    unet->class_embed_type = class_rows > 0 ? ClassEmbedding::table : ClassEmbedding::none;
    unet->num_class_embeds = class_rows;
    return config;
  }
  if (auto* words = std::get_if<WordsConfig>(&config)) {
    words->unet.sample_size = sample_size;
    words->unet.in_channels = words->unet.out_channels = channels;
    if (words->unet.class_is_mean_of_words && class_rows == 0) return config;
    words->unet.class_is_mean_of_words = false;
    words->unet.class_embed_type = class_rows > 0 ? ConditionalUNetConfig::ClassEmbedding::table
                                                  : ConditionalUNetConfig::ClassEmbedding::none;
    words->unet.num_class_embeds = class_rows;
    return config;
  }
  auto& convnext = std::get<ConvNextConfig>(config);
  if (class_rows > 0) throw Error(ErrorKind::usage, "the network ConvNextUNet knows no classes");
  convnext.sample_size = sample_size;
  convnext.channels = channels;
  return config;
}

NetworkConfig with_dropout(NetworkConfig config, double probability) {
  if (auto* unet = std::get_if<UNetConfig>(&config))
    unet->dropout = probability;
  else if (auto* words = std::get_if<WordsConfig>(&config))
    words->unet.dropout = probability;
  else
    throw Error(ErrorKind::usage, fmt::format("the network {} has no dropout", traits_of(config).type));
  return config;
}

NetworkConfig parse_network_config(const Json& json, std::string_view source) {
  const Json* name = json.find("_class_name");
  const std::string type = name ? to_string(*name, fmt::format("{}: field _class_name", source)) : "";
  if (type == "ConvNextUNet") return parse_convnext_config(json, source);
  if (type == kWordsType) {
    const JsonFields f(json, source);
    const Json* trains = f.find("trains_text_encoder");
    return WordsConfig{parse_text_encoder_config(f.need("text_encoder"), f.where("text_encoder")),
                       parse_conditional_unet_config(f.need("unet"), f.where("unet")),
                       !trains || to_bool(*trains, f.where("trains_text_encoder"))};
  }
  return parse_unet_config(json, source);
}

Json to_json(const WordsConfig& config) {
  Json::Object object{{"_class_name", kWordsType},
                      {"text_encoder", to_json(config.text_encoder)},
                      {"unet", to_json(config.unet)}};
  if (!config.trains_text_encoder) object["trains_text_encoder"] = false;
  return object;
}

void validate(const WordsConfig& config) {
  validate(config.text_encoder);
  validate(config.unet);
  if (config.unet.words_width() != config.text_encoder.hidden_size)
    throw Error(ErrorKind::usage,
                fmt::format("the U-Net sees words of {} numbers (cross_attention_dim), but the text encoder "
                            "makes {} (hidden_size)",
                            config.unet.words_width(), config.text_encoder.hidden_size));
}

Json to_json(const NetworkConfig& config) {
  return std::visit([](const auto& c) { return to_json(c); }, config);
}

void validate(const NetworkConfig& config) {
  std::visit([](const auto& c) { validate(c); }, config);
}

void validate_image_size(const NetworkConfig& config, int height, int width) {
  validate_image_size(traits_of(config).size_multiple, height, width);
}

}  // namespace diffusion
