#include "nn/convnext_config.h"

#include <fmt/format.h>

#include "base/error.h"

namespace diffusion {

namespace {

// Reads whole numbers in [1, 4096] by name.
class Fields {
 public:
  Fields(const Json& json, std::string_view source) : object_(to_object(json, source)), source_(source) {}

  std::string where(std::string_view name) const { return fmt::format("{}: field {}", source_, name); }
  const Json& need(std::string_view name) const {
    const auto at = object_.find(name);
    if (at == object_.end()) throw Error(ErrorKind::bad_input, fmt::format("{} is missing", where(name)));
    return at->second;
  }
  int whole(const Json& json, std::string_view name) const {
    const std::int64_t value = to_int(json, where(name));
    if (value < 1 || value > 4096)
      throw Error(ErrorKind::bad_input, fmt::format("{} is {}; accepted are 1 to 4096", where(name), value));
    return int(value);
  }
  int whole(std::string_view name) const { return whole(need(name), name); }

 private:
  const Json::Object& object_;
  std::string source_;
};

}  // namespace

ConvNextConfig parse_convnext_config(const Json& json, std::string_view source) {
  const Fields f(json, source);
  ConvNextConfig c;
  const Json::Array& size = to_array(f.need("sample_size"), f.where("sample_size"));
  if (size.size() != 2)
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} numbers, expected [height, width]",
                                                  f.where("sample_size"), size.size()));
  c.sample_size = {f.whole(size[0], "sample_size"), f.whole(size[1], "sample_size")};
  c.channels = f.whole("channels");
  c.dim = f.whole("dim");
  c.dim_mults.clear();
  for (const Json& mult : to_array(f.need("dim_mults"), f.where("dim_mults")))
    c.dim_mults.push_back(f.whole(mult, "dim_mults"));
  c.block_mult = f.whole("block_mult");
  c.heads = f.whole("heads");
  c.head_dim = f.whole("head_dim");
  const std::string& activation = to_string(f.need("activation"), f.where("activation"));
  if (activation != "gelu" && activation != "gelu_tanh")
    throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: gelu, gelu_tanh",
                                                  f.where("activation"), activation));
  c.activation = activation == "gelu" ? Activation::gelu : Activation::gelu_tanh;
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
