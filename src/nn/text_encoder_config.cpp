#include "nn/text_encoder_config.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <utility>

#include "formats/json_fields.h"
#include "formats/named_values.h"

namespace diffusion {

namespace {

constexpr NamedValue<Activation> kTextActivations[] = {{"quick_gelu", Activation::quick_gelu},
                                                       {"gelu", Activation::gelu},
                                                       {"gelu_new", Activation::gelu_tanh},
                                                       {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                       {"silu", Activation::silu},
                                                       {"swish", Activation::silu},
                                                       {"mish", Activation::mish},
                                                       {"relu", Activation::relu}};

[[noreturn]] void impossible(std::string_view field, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("the text encoder's {} cannot be used: {}", field, why));
}

}  // namespace

TextEncoderConfig parse_text_encoder_config(const Json& json, std::string_view source,
                                            std::vector<std::string>* ignored) {
  const JsonFields whole(json, source);
  if (const Json* text = whole.find("text_config"))
    return parse_text_encoder_config(*text, whole.where("text_config"), ignored);
  const JsonFields f(json, source);
  const std::string type = f.text("model_type", "clip_text_model");
  if (type != "clip_text_model")
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is \"{}\"; accepted is: clip_text_model", f.where("model_type"), type));
  constexpr int kMost = 10'000'000;
  TextEncoderConfig c;
  const auto read = [&](std::string_view field, int& value) {
    value = f.whole_number(field, value, 1, kMost);
  };
  read("vocab_size", c.vocab_size);
  read("hidden_size", c.hidden_size);
  read("intermediate_size", c.intermediate_size);
  read("num_hidden_layers", c.num_hidden_layers);
  read("num_attention_heads", c.num_attention_heads);
  read("max_position_embeddings", c.max_position_embeddings);
  c.hidden_act = choose(f, "hidden_act", kTextActivations, c.hidden_act);
  c.layer_norm_eps = f.number("layer_norm_eps", c.layer_norm_eps, 0, 1);
  if (ignored) *ignored = f.unknown();
  try {
    validate(c);
  } catch (const Error& e) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
  return c;
}

Json to_json(const TextEncoderConfig& c) {
  Json::Object o;
  o["architectures"] = Json::Array{Json("CLIPTextModel")};
  o["model_type"] = "clip_text_model";
  o["vocab_size"] = c.vocab_size;
  o["hidden_size"] = c.hidden_size;
  o["intermediate_size"] = c.intermediate_size;
  o["projection_dim"] = c.hidden_size;
  o["num_hidden_layers"] = c.num_hidden_layers;
  o["num_attention_heads"] = c.num_attention_heads;
  o["max_position_embeddings"] = c.max_position_embeddings;
  o["hidden_act"] = name_of(kTextActivations, c.hidden_act);
  o["layer_norm_eps"] = c.layer_norm_eps;
  o["bos_token_id"] = c.vocab_size - 2;
  o["eos_token_id"] = c.vocab_size - 1;
  o["pad_token_id"] = c.vocab_size - 1;
  return o;
}

void validate(const TextEncoderConfig& c) {
  constexpr int kMostLayers = 128;  // or a hostile file could ask for a graph without end
  if (c.num_hidden_layers < 1 || c.num_hidden_layers > kMostLayers)
    impossible("num_hidden_layers",
               fmt::format("it is {}, accepted are 1 to {}", c.num_hidden_layers, kMostLayers));
  for (const auto& [field, value] : {std::pair{"vocab_size", c.vocab_size},
                                     {"intermediate_size", c.intermediate_size},
                                     {"num_attention_heads", c.num_attention_heads},
                                     {"max_position_embeddings", c.max_position_embeddings}})
    if (value < 1) impossible(field, fmt::format("it is {}, accepted are whole numbers from 1", value));
  if (c.hidden_size < 1 || c.hidden_size % c.num_attention_heads != 0)
    impossible("num_attention_heads", fmt::format("hidden_size = {} cannot be cut into {} heads",
                                                  c.hidden_size, c.num_attention_heads));
  if (!(c.layer_norm_eps > 0)) impossible("layer_norm_eps", "it is 0, accepted is a positive number");
}

}  // namespace diffusion
