#include "nn/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "nn/convnext_unet.h"
#include "nn/unet.h"

namespace diffusion {

namespace {

NetworkTraits traits(const UNetConfig& c) {
  return {.type = "UNet2DModel",
          .title = "U-Net",
          .in_diffusers = true,
          .sample_size = c.sample_size,
          .in_channels = c.in_channels,
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

Network make(const UNetConfig& c, int n, int height, int width) {
  return make_unet(c, n, height, width);
}

Network make(const ConvNextConfig& c, int n, int height, int width) {
  return make_convnext_unet(c, n, height, width);
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

Network make_network(const NetworkConfig& config, int n, int height, int width) {
  return std::visit([&](const auto& c) { return make(c, n, height, width); }, config);
}

Network frozen(const Network& net) {
  Network result;
  std::vector<Value> values;  // by node of `net`
  for (const Graph::Node& node : net.graph.nodes()) {
    std::vector<Value> in;
    for (const int id : node.in) in.push_back(values[std::size_t(id)]);
    if (node.source == Graph::Source::input) {
      values.push_back(result.graph.input(node.name, node.shape));
    } else if (node.source == Graph::Source::param) {
      Param param = net.graph.params()[std::size_t(node.param)];
      param.trainable = false;
      values.push_back(result.graph.param(std::move(param), node.shape));
    } else if (std::holds_alternative<Dropout>(node.op)) {
      values.push_back(in.front());
    } else {
      values.push_back(result.graph.add(node.op, in, node.name));
    }
  }
  const auto at = [&](Value value) { return values[std::size_t(value.id)]; };
  result.sample = at(net.sample);
  result.timestep = at(net.timestep);
  for (const Network::Condition& condition : net.conditions)
    result.conditions.push_back({condition.traits, at(condition.value)});
  result.output = at(net.output);
  return result;
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

NetworkConfig with_dropout(NetworkConfig config, double probability) {
  auto* unet = std::get_if<UNetConfig>(&config);
  if (!unet)
    throw Error(ErrorKind::usage, fmt::format("the network {} has no dropout", traits_of(config).type));
  unet->dropout = probability;
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
  validate_image_size(traits_of(config).size_multiple, height, width);
}

}  // namespace diffusion
