#include "nn/unet_config.h"

#include <fmt/format.h>

#include <limits>

#include <diffusion/error.h>
#include "formats/json_fields.h"
#include "formats/named_values.h"
#include "nn/unet_fields.h"

namespace diffusion {

namespace {

constexpr NamedValue<TimeEmbedding> kTimeEmbeddings[] = {{"positional", TimeEmbedding::positional},
                                                         {"fourier", TimeEmbedding::fourier},
                                                         {"learned", TimeEmbedding::learned}};
constexpr NamedValue<Resampling> kResamplings[] = {{"conv", Resampling::conv},
                                                   {"resnet", Resampling::resnet}};

// Revisions of 2022, before the format of today.
void refuse_other_class(const std::string& name, const std::string& where) {
  if (name == "UNet2DModel") return;
  if (name == "UNetModel" || name == "UNetUnconditionalModel")
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is \"{}\", the network of the first versions of diffusers (2022), whose files "
                    "are laid out otherwise; take a newer revision of the model, with a UNet2DModel",
                    where, name));
  throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted is: UNet2DModel", where, name));
}

Json whole_or_null(const std::optional<int>& v) {
  return v ? Json(*v) : Json(nullptr);
}

}  // namespace

UNetConfig parse_unet_config(const Json& json, std::string_view source, std::vector<std::string>* ignored) {
  constexpr double kMostDouble = std::numeric_limits<double>::max();  // validate() knows the ranges
  const JsonFields f(json, source);
  UNetConfig c;
  refuse_other_class(f.text("_class_name", "UNet2DModel"), f.where("_class_name"));
  const auto whole = [&](std::string_view field, int& value) {
    value = f.whole_number(field, value, 0, kMostInConfig);
  };
  const auto whole_or_none = [&](std::string_view field, std::optional<int>& value) {
    value = f.whole_number_or_null(field, value, 0, kMostInConfig);
  };
  const auto number = [&](std::string_view field, double& value) {
    value = f.number(field, value, -kMostDouble, kMostDouble);
  };
  const auto flag = [&](std::string_view field, bool& value) { value = f.flag(field, value); };

  c.sample_size = sample_size_field(f);
  whole("in_channels", c.in_channels);
  whole("out_channels", c.out_channels);
  flag("center_input_sample", c.center_input_sample);
  c.time_embedding_type = choose(f, "time_embedding_type", kTimeEmbeddings, c.time_embedding_type);
  whole_or_none("time_embedding_dim", c.time_embedding_dim);
  number("freq_shift", c.freq_shift);
  flag("flip_sin_to_cos", c.flip_sin_to_cos);
  c.down_block_attention =
      block_types(f, "down_block_types", "DownBlock2D", "AttnDownBlock2D", c.down_block_attention);
  c.up_block_attention = block_types(f, "up_block_types", "UpBlock2D", "AttnUpBlock2D", c.up_block_attention);
  if (const Json* mid = f.find("mid_block_type")) {
    c.mid_block = !mid->is_null();
    if (c.mid_block && f.text("mid_block_type", "") != "UNetMidBlock2D")
      throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: UNetMidBlock2D, null",
                                                    f.where("mid_block_type"), f.text("mid_block_type", "")));
  }
  c.block_out_channels = f.whole_numbers("block_out_channels", c.block_out_channels, 0, kMostInConfig);
  whole("layers_per_block", c.layers_per_block);
  number("mid_block_scale_factor", c.mid_block_scale_factor);
  whole("downsample_padding", c.downsample_padding);
  c.downsample_type = choose(f, "downsample_type", kResamplings, c.downsample_type);
  c.upsample_type = choose(f, "upsample_type", kResamplings, c.upsample_type);
  number("dropout", c.dropout);
  c.act_fn = activation_field(f, "act_fn", c.act_fn);
  whole_or_none("attention_head_dim", c.attention_head_dim);
  whole("norm_num_groups", c.norm_num_groups);
  whole_or_none("attn_norm_num_groups", c.attn_norm_num_groups);
  number("norm_eps", c.norm_eps);
  c.scale_shift = time_scale_shift_field(f, c.scale_shift);
  flag("add_attention", c.add_attention);
  c.num_class_embeds = f.whole_number_or_null("num_class_embeds", {}, 0, kMostInConfig).value_or(0);
  c.num_train_timesteps = f.whole_number_or_null("num_train_timesteps", {}, 0, kMostInConfig).value_or(0);
  whole("known_channels", c.known_channels);
  if (const Json* embed = f.find("class_embed_type"); embed && !embed->is_null()) {
    constexpr NamedValue<ClassEmbedding> kTypes[] = {{"timestep", ClassEmbedding::timestep},
                                                     {"identity", ClassEmbedding::identity}};
    c.class_embed_type = choose(f, "class_embed_type", kTypes, ClassEmbedding::timestep);
  } else if (c.num_class_embeds > 0) {
    c.class_embed_type = ClassEmbedding::table;
  }
  if (ignored) *ignored = f.unknown();
  try {
    validate(c);
  } catch (const Error& e) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
  return c;
}

Json to_json(const UNetConfig& c) {
  Json::Object o;
  o["_class_name"] = "UNet2DModel";
  o["_diffusers_version"] = "0.30.3";
  o["sample_size"] = sample_size_to_json(c.sample_size);
  o["in_channels"] = c.in_channels;
  o["out_channels"] = c.out_channels;
  o["center_input_sample"] = c.center_input_sample;
  o["time_embedding_type"] = name_of(kTimeEmbeddings, c.time_embedding_type);
  o["time_embedding_dim"] = whole_or_null(c.time_embedding_dim);
  o["freq_shift"] = c.freq_shift == double(int(c.freq_shift)) ? Json(int(c.freq_shift)) : Json(c.freq_shift);
  o["flip_sin_to_cos"] = c.flip_sin_to_cos;
  o["down_block_types"] = block_names(c.down_block_attention, "DownBlock2D", "AttnDownBlock2D");
  o["up_block_types"] = block_names(c.up_block_attention, "UpBlock2D", "AttnUpBlock2D");
  o["mid_block_type"] = c.mid_block ? Json("UNetMidBlock2D") : Json(nullptr);
  Json::Array widths;
  for (int w : c.block_out_channels) widths.emplace_back(w);
  o["block_out_channels"] = std::move(widths);
  o["layers_per_block"] = c.layers_per_block;
  o["mid_block_scale_factor"] = c.mid_block_scale_factor;
  o["downsample_padding"] = c.downsample_padding;
  o["downsample_type"] = name_of(kResamplings, c.downsample_type);
  o["upsample_type"] = name_of(kResamplings, c.upsample_type);
  o["dropout"] = c.dropout;
  o["act_fn"] = activation_name(c.act_fn);
  o["attention_head_dim"] = whole_or_null(c.attention_head_dim);
  o["norm_num_groups"] = c.norm_num_groups;
  o["attn_norm_num_groups"] = whole_or_null(c.attn_norm_num_groups);
  o["norm_eps"] = c.norm_eps;
  o["resnet_time_scale_shift"] = c.scale_shift ? "scale_shift" : "default";
  o["add_attention"] = c.add_attention;
  o["class_embed_type"] = c.class_embed_type == ClassEmbedding::timestep   ? Json("timestep")
                          : c.class_embed_type == ClassEmbedding::identity ? Json("identity")
                                                                           : Json(nullptr);
  o["num_class_embeds"] = c.num_class_embeds > 0 ? Json(c.num_class_embeds) : Json(nullptr);
  o["num_train_timesteps"] = c.num_train_timesteps > 0 ? Json(c.num_train_timesteps) : Json(nullptr);
  if (c.known_channels > 0) o["known_channels"] = c.known_channels;
  return o;
}

void validate(const UNetConfig& c) {
  const std::size_t levels = c.block_out_channels.size();
  if (levels < 1 || levels > 12)
    impossible_field("block_out_channels", fmt::format("{} levels, accepted are 1 to 12", levels));
  if (c.down_block_attention.size() != levels)
    impossible_field("down_block_types",
                     fmt::format("{} blocks for {} levels", c.down_block_attention.size(), levels));
  if (c.up_block_attention.size() != levels)
    impossible_field("up_block_types",
                     fmt::format("{} blocks for {} levels", c.up_block_attention.size(), levels));
  if (c.in_channels < 1) impossible_field("in_channels", "it is 0");
  if (c.out_channels < 1) impossible_field("out_channels", "it is 0");
  if (c.known_channels != 0 &&
      (c.known_channels < 2 * c.out_channels || c.sample_channels() != c.out_channels))
    impossible_field(
        "known_channels",
        fmt::format("it is {}; accepted are 0, and values and a mask for each of the {} channels, if "
                    "in_channels are both together",
                    c.known_channels, c.out_channels));
  constexpr int kMostLayers = 64;  // or a hostile file could ask for a graph without end
  if (c.layers_per_block < 1 || c.layers_per_block > kMostLayers)
    impossible_field("layers_per_block",
                     fmt::format("it is {}, accepted are 1 to {}", c.layers_per_block, kMostLayers));
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
  if (c.time_embedding_type == TimeEmbedding::learned && c.num_train_timesteps < 1)
    impossible_field("num_train_timesteps", "a learned time embedding needs it");
  if (c.time_embedding_type == TimeEmbedding::positional &&
      c.freq_shift == double(c.block_out_channels[0] / 2))  // the frequencies divide by the difference
    impossible_field("freq_shift", fmt::format("it is {}, accepted is any other number", c.freq_shift));
  for (int width : c.block_out_channels) {
    if (width < 1 || width % c.norm_num_groups != 0)
      impossible_field("block_out_channels",
                       fmt::format("{} channels cannot be cut into norm_num_groups = {} groups", width,
                                   c.norm_num_groups));
  }
  for (std::size_t level = 0; level < levels; ++level) {
    const int width = c.block_out_channels[level];
    const bool attends = c.down_block_attention[level] || c.up_block_attention[levels - 1 - level] ||
                         (level == levels - 1 && c.mid_block && c.add_attention);
    if (attends && c.attention_head_dim && (*c.attention_head_dim < 1 || width < *c.attention_head_dim))
      impossible_field(
          "attention_head_dim",
          fmt::format(
              "{} gives no head in a block of {} channels; accepted are 1 to {}, or null for one head",
              *c.attention_head_dim, width, width));
  }
  if (c.attn_norm_num_groups &&
      (*c.attn_norm_num_groups < 1 || c.block_out_channels.back() % *c.attn_norm_num_groups != 0))
    impossible_field("attn_norm_num_groups",
                     fmt::format("{} channels cannot be cut into {} groups", c.block_out_channels.back(),
                                 *c.attn_norm_num_groups));
}

}  // namespace diffusion
