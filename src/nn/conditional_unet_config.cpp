#include "nn/conditional_unet_config.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "formats/json_fields.h"
#include "nn/unet_fields.h"

namespace diffusion {

namespace {

using ClassInput = ConditionalUNetConfig::ClassEmbedding;
using Middle = ConditionalUNetConfig::Middle;

constexpr std::string_view kPlainDown = "DownBlock2D", kAttentionDown = "CrossAttnDownBlock2D",
                           kPlainUp = "UpBlock2D", kAttentionUp = "CrossAttnUpBlock2D";
constexpr std::string_view kMiddles[] = {"UNetMidBlock2DCrossAttn", "UNetMidBlock2D"};
constexpr std::string_view kMeanOfWords = "mean of encoder_hidden_states";
constexpr std::string_view kClassEmbeddings[] = {"timestep", "identity", "projection", "simple_projection"};

// One number for all levels, or one for each.
std::vector<int> per_level(const JsonFields& f, std::string_view field, int otherwise, std::size_t levels) {
  const Json* value = f.find(field);
  if (value && std::holds_alternative<Json::Array>(value->value()))
    return f.whole_numbers(field, {}, 0, kMostInConfig);
  return std::vector<int>(levels, f.whole_number(field, otherwise, 0, kMostInConfig));
}

std::vector<bool> flag_per_level(const JsonFields& f, std::string_view field, std::size_t levels) {
  const Json* value = f.find(field);
  if (!value || !std::holds_alternative<Json::Array>(value->value()))
    return std::vector<bool>(levels, f.flag(field, false));
  std::vector<bool> flags;
  for (const Json& item : to_array(*value, f.where(field))) flags.push_back(to_bool(item, f.where(field)));
  return flags;
}

bool is_null(const JsonFields& f, std::string_view field) {
  const Json* value = f.find(field);
  return !value || value->is_null();
}

Activation activation_or_null(const JsonFields& f, std::string_view field) {
  return is_null(f, field) ? Activation::none : activation_field(f, field, Activation::silu);
}

// What changes the numbers and that we do not have.
void refuse_unsupported(const JsonFields& f) {
  for (const std::string_view field :
       {"addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type", "num_attention_heads",
        "reverse_transformer_layers_per_block", "time_cond_proj_dim", "cross_attention_norm"})
    f.only_null(field);
  f.only_flag("dual_cross_attention", false);
  f.only_text("attention_type", "default");
  f.only_text("time_embedding_type", "positional");
  // What changes nothing in the blocks that we have.
  for (const std::string_view field :
       {"upcast_attention", "resnet_skip_time_act", "resnet_out_scale_factor", "addition_time_embed_dim",
        "addition_embed_type_num_heads", "mid_block_only_cross_attention"})
    static_cast<void>(f.find(field));
}

Middle middle(const JsonFields& f) {
  if (const Json* mid = f.find("mid_block_type"); mid && mid->is_null()) return Middle::none;
  return f.choice("mid_block_type", kMiddles[0], kMiddles) == 0 ? Middle::attention : Middle::plain;
}

void read_class_embedding(const JsonFields& f, ConditionalUNetConfig& c) {
  c.num_class_embeds = f.whole_number_or_null("num_class_embeds", {}, 0, kMostInConfig).value_or(0);
  c.projection_class_embeddings_input_dim =
      f.whole_number_or_null("projection_class_embeddings_input_dim", {}, 0, kMostInConfig).value_or(0);
  c.class_embeddings_concat = f.flag("class_embeddings_concat", false);
  if (!is_null(f, "class_embed_type"))
    c.class_embed_type = ClassInput(int(ClassInput::timestep) +
                                    int(f.choice("class_embed_type", kClassEmbeddings[0], kClassEmbeddings)));
  else if (c.num_class_embeds > 0)
    c.class_embed_type = ClassInput::table;
  if (!is_null(f, "class_labels_from")) {
    f.only_text("class_labels_from", kMeanOfWords);
    c.class_is_mean_of_words = true;
  }
}

Json numbers(const std::vector<int>& values) {
  Json::Array array;
  for (const int v : values) array.emplace_back(v);
  return array;
}

// One number where all levels have the same.
Json number_or_list(const std::vector<int>& values) {
  return std::ranges::count(values, values.front()) == std::ptrdiff_t(values.size()) ? Json(values.front())
                                                                                     : numbers(values);
}

Json positive_or_null(int value) {
  return value > 0 ? Json(value) : Json(nullptr);
}

Json name_or_null(Activation activation) {
  return activation == Activation::none ? Json(nullptr) : Json(activation_name(activation));
}

void check_lists(const ConditionalUNetConfig& c) {
  const auto check = [&](std::string_view field, std::size_t size) {
    if (size != c.levels())
      impossible_field(field, fmt::format("{} elements for {} levels", size, c.levels()));
  };
  if (c.levels() < 1 || c.levels() > 12)
    impossible_field("block_out_channels", fmt::format("{} levels, accepted are 1 to 12", c.levels()));
  check("down_block_types", c.down_block_attention.size());
  check("up_block_types", c.up_block_attention.size());
  check("only_cross_attention", c.only_cross_attention.size());
  check("layers_per_block", c.layers_per_block.size());
  check("cross_attention_dim", c.cross_attention_dim.size());
  check("transformer_layers_per_block", c.transformer_layers_per_block.size());
  check("attention_head_dim", c.heads.size());
}

void check_level(const ConditionalUNetConfig& c, std::size_t level) {
  const int width = c.block_out_channels[level], heads = c.heads[level];
  if (width < 1 || width % c.norm_num_groups != 0)
    impossible_field(
        "block_out_channels",
        fmt::format("{} channels cannot be cut into norm_num_groups = {} groups", width, c.norm_num_groups));
  if (heads < 1 || heads > width)
    impossible_field(
        "attention_head_dim",
        fmt::format("{} heads in a block of {} channels; accepted are 1 to {}", heads, width, width));
  constexpr int kMostLayers = 64;  // or a hostile file could ask for a graph without end
  if (const int layers = c.layers_per_block[level]; layers < 1 || layers > kMostLayers)
    impossible_field("layers_per_block", fmt::format("it is {}, accepted are 1 to {}", layers, kMostLayers));
  if (const int layers = c.transformer_layers_per_block[level]; layers < 1 || layers > kMostLayers)
    impossible_field("transformer_layers_per_block",
                     fmt::format("it is {}, accepted are 1 to {}", layers, kMostLayers));
  if (c.cross_attention_dim[level] < 1 || c.cross_attention_dim[level] != c.cross_attention_dim[0])
    impossible_field("cross_attention_dim", "all levels must see words of one width, at least 1");
}

}  // namespace

ConditionalUNetConfig parse_conditional_unet_config(const Json& json, std::string_view source,
                                                    std::vector<std::string>* ignored) {
  constexpr double kMostDouble = std::numeric_limits<double>::max();  // validate() knows the ranges
  const JsonFields f(json, source);
  ConditionalUNetConfig c;
  f.only_text("_class_name", "UNet2DConditionModel");
  refuse_unsupported(f);
  const auto whole = [&](std::string_view field, int& value) {
    value = f.whole_number(field, value, 0, kMostInConfig);
  };
  const auto number = [&](std::string_view field, double& value) {
    value = f.number(field, value, -kMostDouble, kMostDouble);
  };

  c.sample_size = sample_size_field(f);
  whole("in_channels", c.in_channels);
  whole("out_channels", c.out_channels);
  c.center_input_sample = f.flag("center_input_sample", c.center_input_sample);
  c.flip_sin_to_cos = f.flag("flip_sin_to_cos", c.flip_sin_to_cos);
  number("freq_shift", c.freq_shift);
  c.down_block_attention =
      block_types(f, "down_block_types", kPlainDown, kAttentionDown, c.down_block_attention);
  c.up_block_attention = block_types(f, "up_block_types", kPlainUp, kAttentionUp, c.up_block_attention);
  c.middle = middle(f);
  c.block_out_channels = f.whole_numbers("block_out_channels", c.block_out_channels, 0, kMostInConfig);
  const std::size_t levels = c.block_out_channels.size();
  c.only_cross_attention = flag_per_level(f, "only_cross_attention", levels);
  c.layers_per_block = per_level(f, "layers_per_block", 2, levels);
  c.cross_attention_dim = per_level(f, "cross_attention_dim", 1280, levels);
  c.transformer_layers_per_block = per_level(f, "transformer_layers_per_block", 1, levels);
  c.heads = per_level(f, "attention_head_dim", 8, levels);
  whole("downsample_padding", c.downsample_padding);
  number("mid_block_scale_factor", c.mid_block_scale_factor);
  number("dropout", c.dropout);
  c.act_fn = activation_field(f, "act_fn", c.act_fn);
  whole("norm_num_groups", c.norm_num_groups);
  number("norm_eps", c.norm_eps);
  c.use_linear_projection = f.flag("use_linear_projection", c.use_linear_projection);
  read_class_embedding(f, c);
  c.scale_shift = time_scale_shift_field(f, c.scale_shift);
  c.time_embedding_dim = f.whole_number_or_null("time_embedding_dim", {}, 0, kMostInConfig);
  c.time_embedding_act_fn = activation_or_null(f, "time_embedding_act_fn");
  c.timestep_post_act = activation_or_null(f, "timestep_post_act");
  whole("conv_in_kernel", c.conv_in_kernel);
  whole("conv_out_kernel", c.conv_out_kernel);
  if (ignored) *ignored = f.unknown();
  try {
    validate(c);
  } catch (const Error& e) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
  return c;
}

Json to_json(const ConditionalUNetConfig& c) {
  Json::Object o;
  o["_class_name"] = "UNet2DConditionModel";
  o["_diffusers_version"] = "0.30.3";
  o["sample_size"] = sample_size_to_json(c.sample_size);
  o["in_channels"] = c.in_channels;
  o["out_channels"] = c.out_channels;
  o["center_input_sample"] = c.center_input_sample;
  o["flip_sin_to_cos"] = c.flip_sin_to_cos;
  o["freq_shift"] = c.freq_shift == double(int(c.freq_shift)) ? Json(int(c.freq_shift)) : Json(c.freq_shift);
  o["down_block_types"] = block_names(c.down_block_attention, kPlainDown.data(), kAttentionDown.data());
  o["up_block_types"] = block_names(c.up_block_attention, kPlainUp.data(), kAttentionUp.data());
  o["mid_block_type"] =
      c.middle == Middle::none ? Json(nullptr) : Json(kMiddles[c.middle == Middle::attention ? 0 : 1]);
  Json::Array only;
  for (const bool flag : c.only_cross_attention) only.emplace_back(flag);
  o["only_cross_attention"] = std::move(only);
  o["block_out_channels"] = numbers(c.block_out_channels);
  o["layers_per_block"] = number_or_list(c.layers_per_block);
  o["cross_attention_dim"] = number_or_list(c.cross_attention_dim);
  o["transformer_layers_per_block"] = number_or_list(c.transformer_layers_per_block);
  o["attention_head_dim"] = number_or_list(c.heads);
  o["downsample_padding"] = c.downsample_padding;
  o["mid_block_scale_factor"] = c.mid_block_scale_factor;
  o["dropout"] = c.dropout;
  o["act_fn"] = activation_name(c.act_fn);
  o["norm_num_groups"] = c.norm_num_groups;
  o["norm_eps"] = c.norm_eps;
  o["use_linear_projection"] = c.use_linear_projection;
  o["class_embed_type"] = c.class_embed_type < ClassInput::timestep
                              ? Json(nullptr)
                              : Json(kClassEmbeddings[int(c.class_embed_type) - int(ClassInput::timestep)]);
  o["num_class_embeds"] = positive_or_null(c.num_class_embeds);
  o["projection_class_embeddings_input_dim"] = positive_or_null(c.projection_class_embeddings_input_dim);
  if (c.class_is_mean_of_words) o["class_labels_from"] = kMeanOfWords;
  o["class_embeddings_concat"] = c.class_embeddings_concat;
  o["resnet_time_scale_shift"] = c.scale_shift ? "scale_shift" : "default";
  o["time_embedding_dim"] = c.time_embedding_dim ? Json(*c.time_embedding_dim) : Json(nullptr);
  o["time_embedding_act_fn"] = name_or_null(c.time_embedding_act_fn);
  o["timestep_post_act"] = name_or_null(c.timestep_post_act);
  o["conv_in_kernel"] = c.conv_in_kernel;
  o["conv_out_kernel"] = c.conv_out_kernel;
  return o;
}

void validate(const ConditionalUNetConfig& c) {
  check_lists(c);
  if (c.in_channels < 1) impossible_field("in_channels", "it is 0");
  if (c.out_channels < 1) impossible_field("out_channels", "it is 0");
  if (c.norm_num_groups < 1) impossible_field("norm_num_groups", "it is 0");
  if (c.time_embedding_width() < 1) impossible_field("time_embedding_dim", "it is 0");
  if (!(c.norm_eps > 0))
    impossible_field("norm_eps", fmt::format("it is {}, accepted is a positive number", c.norm_eps));
  if (!(c.dropout >= 0 && c.dropout < 1))
    impossible_field("dropout", fmt::format("it is {}, accepted is [0, 1)", c.dropout));
  if (!(c.mid_block_scale_factor > 0))
    impossible_field("mid_block_scale_factor",
                     fmt::format("it is {}, accepted is a positive number", c.mid_block_scale_factor));
  if (c.downsample_padding > 1)
    impossible_field("downsample_padding",
                     fmt::format("it is {}, accepted are 0 and 1", c.downsample_padding));
  if (c.freq_shift == double(c.block_out_channels[0] / 2))  // the frequencies divide by the difference
    impossible_field("freq_shift", fmt::format("it is {}, accepted is any other number", c.freq_shift));
  if (c.conv_in_kernel % 2 == 0) impossible_field("conv_in_kernel", "it is even");
  if (c.conv_out_kernel % 2 == 0) impossible_field("conv_out_kernel", "it is even");
  const bool projects =
      c.class_embed_type == ClassInput::projection || c.class_embed_type == ClassInput::simple_projection;
  if (projects && c.projection_class_embeddings_input_dim < 1)
    impossible_field("projection_class_embeddings_input_dim", "this class_embed_type needs it");
  if (c.class_is_mean_of_words && (!projects || c.projection_class_embeddings_input_dim != c.words_width()))
    impossible_field("class_labels_from",
                     fmt::format("it is \"{}\", which needs a class_embed_type of projection or "
                                 "simple_projection and projection_class_embeddings_input_dim {}",
                                 kMeanOfWords, c.words_width()));
  if (c.class_embeddings_concat && c.class_embed_type == ClassInput::none)
    impossible_field("class_embeddings_concat", "there is no class_embed_type");
  for (std::size_t level = 0; level < c.levels(); ++level) check_level(c, level);
}

}  // namespace diffusion
