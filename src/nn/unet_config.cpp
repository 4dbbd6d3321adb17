#include "nn/unet_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace diffusion {

namespace {

template <class T>
struct Name {
  std::string_view text;
  T value;
};

constexpr Name<Activation> kActivations[] = {{"silu", Activation::silu},
                                             {"swish", Activation::silu},
                                             {"mish", Activation::mish},
                                             {"gelu", Activation::gelu},
                                             {"relu", Activation::relu}};
constexpr Name<TimeEmbedding> kTimeEmbeddings[] = {{"positional", TimeEmbedding::positional},
                                                   {"fourier", TimeEmbedding::fourier},
                                                   {"learned", TimeEmbedding::learned}};
constexpr Name<Resampling> kResamplings[] = {{"conv", Resampling::conv}, {"resnet", Resampling::resnet}};

template <class T, std::size_t N>
T value_of(const Name<T> (&names)[N], std::string_view text, std::string_view where) {
  std::string accepted;
  for (const Name<T>& n : names) {
    if (n.text == text) return n.value;
    accepted += fmt::format("{}{}", accepted.empty() ? "" : ", ", n.text);
  }
  throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: {}", where, text, accepted));
}

template <class T, std::size_t N>
std::string_view name_of(const Name<T> (&names)[N], T value) {
  return std::ranges::find(names, value, &Name<T>::value)->text;
}

// Reads fields of one object, remembering which were asked for.
class Fields {
 public:
  Fields(const Json& json, std::string_view source) : object_(to_object(json, source)), source_(source) {}

  // nullptr if the field is absent.
  const Json* find(std::string_view name) {
    known_.emplace_back(name);
    const auto at = object_.find(name);
    return at == object_.end() ? nullptr : &at->second;
  }
  std::string where(std::string_view name) const { return fmt::format("{}: field {}", source_, name); }

  void read(std::string_view name, int& out) {
    if (const Json* j = find(name)) out = to_whole(*j, name);
  }
  void read(std::string_view name, double& out) {
    if (const Json* j = find(name)) out = to_double(*j, where(name));
  }
  void read(std::string_view name, bool& out) {
    if (const Json* j = find(name)) out = to_bool(*j, where(name));
  }
  // null is a value of its own: none.
  void read(std::string_view name, std::optional<int>& out) {
    if (const Json* j = find(name)) out = j->is_null() ? std::optional<int>() : to_whole(*j, name);
  }
  template <class T, std::size_t N>
  void read(std::string_view name, const Name<T> (&names)[N], T& out) {
    if (const Json* j = find(name)) out = value_of(names, to_string(*j, where(name)), where(name));
  }
  int to_whole(const Json& j, std::string_view name) const {
    const std::int64_t v = to_int(j, where(name));
    if (v < 0 || v > 1'000'000)
      throw Error(ErrorKind::bad_input, fmt::format("{} is {}; accepted are 0 to 1000000", where(name), v));
    return int(v);
  }
  // Block types: the plain one or the one with attention.
  void read_blocks(std::string_view name, std::string_view plain, std::string_view attention,
                   std::vector<bool>& out) {
    const Json* j = find(name);
    if (!j) return;
    out.clear();
    for (const Json& item : to_array(*j, where(name))) {
      std::string_view type = to_string(item, where(name));
      if (type.starts_with("UNetRes")) type.remove_prefix(7);
      if (type != plain && type != attention)
        throw Error(ErrorKind::bad_input,
                    fmt::format("{} has a block \"{}\", which is not supported; accepted are: {}, {}",
                                where(name), type, plain, attention));
      out.push_back(type == attention);
    }
  }
  void report_unknown(std::vector<std::string>* ignored) const {
    for (const auto& [name, value] : object_)
      if (ignored && !name.starts_with('_') && std::ranges::find(known_, name) == known_.end())
        ignored->push_back(name);
  }

 private:
  const Json::Object& object_;
  std::string source_;
  std::vector<std::string> known_;
};

Json whole_or_null(const std::optional<int>& v) {
  return v ? Json(*v) : Json(nullptr);
}

Json::Array block_names(const std::vector<bool>& attention, const char* plain, const char* with_attention) {
  Json::Array names;
  for (bool a : attention) names.emplace_back(a ? with_attention : plain);
  return names;
}

[[noreturn]] void impossible(std::string_view field, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("the network's {} cannot be used: {}", field, why));
}

}  // namespace

UNetConfig parse_unet_config(const Json& json, std::string_view source, std::vector<std::string>* ignored) {
  UNetConfig c;
  Fields f(json, source);
  if (const Json* name = f.find("_class_name");
      name && to_string(*name, f.where("_class_name")) != "UNet2DModel")
    throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted is: UNet2DModel",
                                                  f.where("_class_name"), to_string(*name, "")));
  if (const Json* size = f.find("sample_size"); size && !size->is_null()) {
    if (std::holds_alternative<Json::Array>(size->value())) {
      const Json::Array& sides = to_array(*size, f.where("sample_size"));
      if (sides.size() != 2)
        throw Error(ErrorKind::bad_input, fmt::format("{} has {} numbers, expected [height, width]",
                                                      f.where("sample_size"), sides.size()));
      c.sample_size = {f.to_whole(sides[0], "sample_size"), f.to_whole(sides[1], "sample_size")};
    } else {
      c.sample_size.fill(f.to_whole(*size, "sample_size"));
    }
  }
  f.read("in_channels", c.in_channels);
  f.read("out_channels", c.out_channels);
  f.read("center_input_sample", c.center_input_sample);
  f.read("time_embedding_type", kTimeEmbeddings, c.time_embedding_type);
  f.read("time_embedding_dim", c.time_embedding_dim);
  f.read("freq_shift", c.freq_shift);
  f.read("flip_sin_to_cos", c.flip_sin_to_cos);
  f.read_blocks("down_block_types", "DownBlock2D", "AttnDownBlock2D", c.down_block_attention);
  f.read_blocks("up_block_types", "UpBlock2D", "AttnUpBlock2D", c.up_block_attention);
  if (const Json* mid = f.find("mid_block_type")) {
    c.mid_block = !mid->is_null();
    if (c.mid_block && to_string(*mid, f.where("mid_block_type")) != "UNetMidBlock2D")
      throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: UNetMidBlock2D, null",
                                                    f.where("mid_block_type"), to_string(*mid, "")));
  }
  if (const Json* widths = f.find("block_out_channels")) {
    c.block_out_channels.clear();
    for (const Json& w : to_array(*widths, f.where("block_out_channels")))
      c.block_out_channels.push_back(f.to_whole(w, "block_out_channels"));
  }
  f.read("layers_per_block", c.layers_per_block);
  f.read("mid_block_scale_factor", c.mid_block_scale_factor);
  f.read("downsample_padding", c.downsample_padding);
  f.read("downsample_type", kResamplings, c.downsample_type);
  f.read("upsample_type", kResamplings, c.upsample_type);
  f.read("dropout", c.dropout);
  f.read("act_fn", kActivations, c.act_fn);
  f.read("attention_head_dim", c.attention_head_dim);
  f.read("norm_num_groups", c.norm_num_groups);
  f.read("attn_norm_num_groups", c.attn_norm_num_groups);
  f.read("norm_eps", c.norm_eps);
  if (const Json* shift = f.find("resnet_time_scale_shift")) {
    const std::string& mode = to_string(*shift, f.where("resnet_time_scale_shift"));
    if (mode != "default" && mode != "scale_shift")
      throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: default, scale_shift",
                                                    f.where("resnet_time_scale_shift"), mode));
    c.scale_shift = mode == "scale_shift";
  }
  f.read("add_attention", c.add_attention);
  std::optional<int> classes, timesteps;
  f.read("num_class_embeds", classes);
  f.read("num_train_timesteps", timesteps);
  c.num_class_embeds = classes.value_or(0);
  c.num_train_timesteps = timesteps.value_or(0);
  const Json* embed = f.find("class_embed_type");
  if (embed && !embed->is_null()) {
    constexpr Name<ClassEmbedding> kTypes[] = {{"timestep", ClassEmbedding::timestep},
                                               {"identity", ClassEmbedding::identity}};
    c.class_embed_type =
        value_of(kTypes, to_string(*embed, f.where("class_embed_type")), f.where("class_embed_type"));
  } else if (c.num_class_embeds > 0) {
    c.class_embed_type = ClassEmbedding::table;
  }
  f.report_unknown(ignored);
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
  if (c.sample_size[0] == 0)
    o["sample_size"] = nullptr;
  else if (c.sample_size[0] == c.sample_size[1])
    o["sample_size"] = c.sample_size[0];
  else
    o["sample_size"] = Json::Array{c.sample_size[0], c.sample_size[1]};
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
  o["act_fn"] = name_of(kActivations, c.act_fn);
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
  return o;
}

void validate(const UNetConfig& c) {
  const std::size_t levels = c.block_out_channels.size();
  if (levels < 1 || levels > 12)
    impossible("block_out_channels", fmt::format("{} levels, accepted are 1 to 12", levels));
  if (c.down_block_attention.size() != levels)
    impossible("down_block_types",
               fmt::format("{} blocks for {} levels", c.down_block_attention.size(), levels));
  if (c.up_block_attention.size() != levels)
    impossible("up_block_types", fmt::format("{} blocks for {} levels", c.up_block_attention.size(), levels));
  if (c.in_channels < 1) impossible("in_channels", "it is 0");
  if (c.out_channels < 1) impossible("out_channels", "it is 0");
  if (c.layers_per_block < 1) impossible("layers_per_block", "it is 0");
  if (c.norm_num_groups < 1) impossible("norm_num_groups", "it is 0");
  if (c.time_embedding_width() < 1) impossible("time_embedding_dim", "it is 0");
  if (!(c.norm_eps > 0))
    impossible("norm_eps", fmt::format("it is {}, accepted is a positive number", c.norm_eps));
  if (!(c.dropout >= 0 && c.dropout < 1))
    impossible("dropout", fmt::format("it is {}, accepted is [0, 1)", c.dropout));
  if (!(c.mid_block_scale_factor > 0))
    impossible("mid_block_scale_factor",
               fmt::format("it is {}, accepted is a positive number", c.mid_block_scale_factor));
  if (c.downsample_padding > 1)
    impossible("downsample_padding", fmt::format("it is {}, accepted are 0 and 1", c.downsample_padding));
  if (c.time_embedding_type == TimeEmbedding::learned && c.num_train_timesteps < 1)
    impossible("num_train_timesteps", "a learned time embedding needs it");
  for (int width : c.block_out_channels) {
    if (width < 1 || width % c.norm_num_groups != 0)
      impossible("block_out_channels",
                 fmt::format("{} channels cannot be cut into norm_num_groups = {} groups", width,
                             c.norm_num_groups));
  }
  for (std::size_t level = 0; level < levels; ++level) {
    const int width = c.block_out_channels[level];
    const bool attends = c.down_block_attention[level] || c.up_block_attention[levels - 1 - level] ||
                         (level == levels - 1 && c.mid_block && c.add_attention);
    if (attends && c.attention_head_dim && (*c.attention_head_dim < 1 || width < *c.attention_head_dim))
      impossible("attention_head_dim",
                 fmt::format(
                     "{} gives no head in a block of {} channels; accepted are 1 to {}, or null for one head",
                     *c.attention_head_dim, width, width));
  }
  if (c.attn_norm_num_groups &&
      (*c.attn_norm_num_groups < 1 || c.block_out_channels.back() % *c.attn_norm_num_groups != 0))
    impossible("attn_norm_num_groups", fmt::format("{} channels cannot be cut into {} groups",
                                                   c.block_out_channels.back(), *c.attn_norm_num_groups));
}

}  // namespace diffusion
