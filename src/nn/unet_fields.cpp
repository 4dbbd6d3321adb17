#include "nn/unet_fields.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include "formats/named_values.h"

namespace diffusion {

namespace {

constexpr NamedValue<Activation> kActivations[] = {{"silu", Activation::silu},
                                                   {"swish", Activation::silu},
                                                   {"mish", Activation::mish},
                                                   {"gelu", Activation::gelu},
                                                   {"relu", Activation::relu}};

}  // namespace

std::string_view activation_name(Activation activation) {
  return name_of(kActivations, activation);
}

Activation activation_field(const JsonFields& f, std::string_view field, Activation otherwise) {
  return choose(f, field, kActivations, otherwise);
}

std::vector<bool> block_types(const JsonFields& f, std::string_view field, std::string_view plain,
                              std::string_view attention, std::vector<bool> otherwise) {
  const Json* types = f.find(field);
  if (!types) return otherwise;
  std::vector<bool> found;
  for (const Json& item : to_array(*types, f.where(field))) {
    std::string_view type = to_string(item, f.where(field));
    constexpr std::string_view kOldPrefix = "UNetRes";
    if (type.starts_with(kOldPrefix)) type.remove_prefix(kOldPrefix.size());
    if (type != plain && type != attention)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has a block \"{}\", which is not supported; accepted are: {}, {}",
                              f.where(field), type, plain, attention));
    found.push_back(type == attention);
  }
  return found;
}

Json::Array block_names(const std::vector<bool>& attention, const char* plain, const char* with_attention) {
  Json::Array names;
  for (bool a : attention) names.emplace_back(a ? with_attention : plain);
  return names;
}

std::array<int, 2> sample_size_field(const JsonFields& f) {
  const Json* size = f.find("sample_size");
  if (!size || size->is_null()) return {0, 0};
  if (!std::holds_alternative<Json::Array>(size->value())) {
    const int side = f.whole_number("sample_size", 0, 0, kMostInConfig);
    return {side, side};
  }
  const std::vector<int> sides = f.whole_numbers("sample_size", {}, 0, kMostInConfig);
  if (sides.size() != 2)
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} numbers, expected [height, width]",
                                                  f.where("sample_size"), sides.size()));
  return {sides[0], sides[1]};
}

Json sample_size_to_json(const std::array<int, 2>& size) {
  if (size[0] == 0) return nullptr;
  if (size[0] == size[1]) return size[0];
  return Json::Array{size[0], size[1]};
}

bool time_scale_shift_field(const JsonFields& f, bool otherwise) {
  constexpr NamedValue<bool> kNames[] = {{"default", false}, {"scale_shift", true}};
  return choose(f, "resnet_time_scale_shift", kNames, otherwise);
}

void impossible_field(std::string_view field, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("the network's {} cannot be used: {}", field, why));
}

}  // namespace diffusion
