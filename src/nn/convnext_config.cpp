#include "nn/convnext_config.h"

#include <fmt/format.h>

#include <array>

#include <diffusion/error.h>
#include "formats/json_fields.h"

namespace diffusion {

ConvNextConfig parse_convnext_config(const Json& json, std::string_view source) {
  constexpr int kMost = 4096;
  const JsonFields f(json, source);
  const auto whole = [&](std::string_view field) {
    f.need(field);
    return f.whole_number(field, 0, 1, kMost);
  };
  const auto whole_numbers = [&](std::string_view field) {
    f.need(field);
    return f.whole_numbers(field, {}, 1, kMost);
  };
  ConvNextConfig c;
  const std::vector<int> size = whole_numbers("sample_size");
  if (size.size() != 2)
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} numbers, expected [height, width]",
                                                  f.where("sample_size"), size.size()));
  c.sample_size = {size[0], size[1]};
  c.channels = whole("channels");
  c.dim = whole("dim");
  c.dim_mults = whole_numbers("dim_mults");
  c.block_mult = whole("block_mult");
  c.heads = whole("heads");
  c.head_dim = whole("head_dim");
  f.need("activation");
  constexpr std::array<std::string_view, 2> kActivations{"gelu", "gelu_tanh"};
  c.activation = f.choice("activation", "", kActivations) == 0 ? Activation::gelu : Activation::gelu_tanh;
  c.first_skip = to_bool(f.need("first_skip"), f.where("first_skip"));
  try {
    validate(c);
  } catch (const Error& e) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
  return c;
}

Json to_json(const ConvNextConfig& c) {
  Json::Array mults;
  for (int mult : c.dim_mults) mults.emplace_back(mult);
  return Json::Object{{"_class_name", "ConvNextUNet"},
                      {"sample_size", Json::Array{c.sample_size[0], c.sample_size[1]}},
                      {"channels", c.channels},
                      {"dim", c.dim},
                      {"dim_mults", std::move(mults)},
                      {"block_mult", c.block_mult},
                      {"heads", c.heads},
                      {"head_dim", c.head_dim},
                      {"activation", c.activation == Activation::gelu ? "gelu" : "gelu_tanh"},
                      {"first_skip", c.first_skip}};
}

void validate(const ConvNextConfig& c) {
  const auto require = [](bool holds, std::string_view field, std::int64_t found, std::string_view accepted) {
    if (!holds)
      throw Error(ErrorKind::usage, fmt::format("the network's {} cannot be used: it is {}, accepted is {}",
                                                field, found, accepted));
  };
  require(c.channels >= 1, "channels", c.channels, "1 or more");
  require(c.dim >= 4 && c.dim % 2 == 0, "dim", c.dim, "an even number from 4");
  require(!c.dim_mults.empty() && c.dim_mults.size() <= 12, "number of dim_mults",
          std::int64_t(c.dim_mults.size()), "1 to 12");
  for (int mult : c.dim_mults) require(mult >= 1, "dim_mults", mult, "1 or more");
  require(c.block_mult >= 1, "block_mult", c.block_mult, "1 or more");
  require(c.heads >= 1, "heads", c.heads, "1 or more");
  require(c.head_dim >= 1, "head_dim", c.head_dim, "1 or more");
}

}  // namespace diffusion
