#include "nn/network.h"

#include <fmt/format.h>

#include "base/error.h"
#include "nn/convnext_unet.h"
#include "nn/unet.h"

namespace diffusion {

namespace {

NetworkTraits traits(const UNetConfig& c) {
  return {"UNet2DModel",      c.sample_size,      c.in_channels,    c.out_channels,
          c.class_embed_type, c.num_class_embeds, c.size_multiple()};
}

NetworkTraits traits(const ConvNextConfig& c) {
  return {"ConvNextUNet", c.sample_size, c.channels, c.channels, ClassEmbedding::none, 0, c.size_multiple()};
}

Network make(const UNetConfig& c, int n, int height, int width) {
  return make_unet(c, n, height, width);
}

Network make(const ConvNextConfig& c, int n, int height, int width) {
  return make_convnext_unet(c, n, height, width);
}

}  // namespace

Network make_network(const NetworkConfig& config, int n, int height, int width) {
  return std::visit([&](const auto& c) { return make(c, n, height, width); }, config);
}

NetworkTraits traits_of(const NetworkConfig& config) {
  return std::visit([](const auto& c) { return traits(c); }, config);
}

NetworkConfig fitted_to(NetworkConfig config, std::array<int, 2> sample_size, int channels, int class_rows) {
  if (auto* unet = std::get_if<UNetConfig>(&config)) {
    unet->sample_size = sample_size;
    unet->in_channels = unet->out_channels = channels;
    unet->class_embed_type = class_rows > 0 ? ClassEmbedding::table : ClassEmbedding::none;
    unet->num_class_embeds = class_rows;
    return config;
  }
  auto& convnext = std::get<ConvNextConfig>(config);
  if (class_rows > 0) throw Error(ErrorKind::usage, "the network ConvNextUNet knows no classes");
  convnext.sample_size = sample_size;
  convnext.channels = channels;
  return config;
}

NetworkConfig parse_network_config(const Json& json, std::string_view source) {
  const Json* name = json.find("_class_name");
  if (name && to_string(*name, fmt::format("{}: field _class_name", source)) == "ConvNextUNet")
    return parse_convnext_config(json, source);
  return parse_unet_config(json, source);
}

Json to_json(const NetworkConfig& config) {
  return std::visit([](const auto& c) { return to_json(c); }, config);
}

void validate(const NetworkConfig& config) {
  std::visit([](const auto& c) { validate(c); }, config);
}

void validate_image_size(const NetworkConfig& config, int height, int width) {
  const int multiple = traits_of(config).size_multiple;
  if (height >= multiple && width >= multiple && height % multiple == 0 && width % multiple == 0) return;
  const auto nearest = [&](int side) {
    const int below = side / multiple * multiple;
    if (below == side) return fmt::format("{}", side);
    return below > 0 ? fmt::format("{} or {}", below, below + multiple) : fmt::format("{}", multiple);
  };
  int halvings = 0;
  while (1 << halvings < multiple) ++halvings;
  throw Error(
      ErrorKind::usage,
      fmt::format("images of {}x{} pixels cannot be halved {} times; each side must be a multiple of {} "
                  "(nearest: height {}, width {})",
                  height, width, halvings, multiple, nearest(height), nearest(width)));
}

}  // namespace diffusion
