#include "nn/layers.h"

#include <cmath>
#include <vector>

namespace diffusion {

namespace {

// PyTorch's default: uniform in +-1 / sqrt(fan_in), for weights and biases alike.
Init uniform_by_fan_in(std::int64_t fan_in) {
  return {Init::Kind::uniform, 1 / std::sqrt(double(fan_in))};
}

Value weight(Graph& g, const std::string& name, std::vector<std::int64_t> dims, const Shape& shape) {
  return g.param({{{name + ".weight", std::move(dims)}}, uniform_by_fan_in(shape.c * shape.h * shape.w)},
                 shape);
}

Value bias(Graph& g, const std::string& name, std::int64_t size, std::int64_t fan_in) {
  return g.param({{{name + ".bias", {size}}}, uniform_by_fan_in(fan_in)}, {1, size, 1, 1});
}

struct NormParams {
  Value gamma, beta;
};

NormParams norm_params(Graph& g, const std::string& name, std::int64_t channels) {
  const Shape shape{1, channels, 1, 1};
  return {g.param({{{name + ".weight", {channels}}}, {Init::Kind::ones}}, shape),
          g.param({{{name + ".bias", {channels}}}, {Init::Kind::zeros}}, shape)};
}

}  // namespace

Value conv(Graph& g, const std::string& name, Value x, int out_channels, int kernel, const Conv2d& geometry) {
  const std::int64_t in = g.shape(x).c, out = out_channels, k = kernel;
  const Value w = weight(g, name, {out, in, k, k}, {out, in, k, k});
  return g.add(geometry, {x, w, bias(g, name, out, in * k * k)}, name);
}

Value upsample_conv3x3(Graph& g, const std::string& name, Value x, int out_channels) {
  const std::int64_t in = g.shape(x).c, out = out_channels;
  const Value w = weight(g, name, {out, in, 3, 3}, {out, in, 3, 3});
  return g.add(UpsampleConv2d{}, {x, w, bias(g, name, out, in * 9)}, name);
}

Value plain_conv(Graph& g, const std::string& name, Value x, int out_channels, int kernel,
                 const Conv2d& geometry) {
  const std::int64_t in = g.shape(x).c, out = out_channels, k = kernel;
  return g.add(geometry, {x, weight(g, name, {out, in, k, k}, {out, in, k, k})}, name);
}

Value depthwise_conv(Graph& g, const std::string& name, Value x, int kernel) {
  const std::int64_t channels = g.shape(x).c, k = kernel;
  const int pad = kernel / 2;
  return g.add(Conv2d{1, pad, pad, pad, pad, int(channels)},
               {x, weight(g, name, {channels, 1, k, k}, {channels, 1, k, k})}, name);
}

// PyTorch takes the fan-in from the second extent, which is the output here.
Value conv_transpose(Graph& g, const std::string& name, Value x, int out_channels, int kernel,
                     const ConvTranspose2d& geometry) {
  const std::int64_t in = g.shape(x).c, out = out_channels, k = kernel;
  return g.add(geometry, {x, weight(g, name, {in, out, k, k}, {in, out, k, k})}, name);
}

Value conv3x3(Graph& g, const std::string& name, Value x, int out_channels) {
  return conv(g, name, x, out_channels, 3, {1, 1, 1, 1, 1});
}

Value conv1x1(Graph& g, const std::string& name, Value x, int out_channels) {
  return conv(g, name, x, out_channels, 1, {});
}

Value pointwise(Graph& g, const std::string& name, Value x, int out_channels) {
  const std::int64_t in = g.shape(x).c, out = out_channels;
  const Value w = weight(g, name, {out, in}, {out, in, 1, 1});
  return g.add(Conv2d{}, {x, w, bias(g, name, out, in)}, name);
}

Value plain_pointwise(Graph& g, const std::string& name, Value x, int out_channels) {
  const std::int64_t in = g.shape(x).c, out = out_channels;
  return g.add(Conv2d{}, {x, weight(g, name, {out, in}, {out, in, 1, 1})}, name);
}

Value linear(Graph& g, const std::string& name, Value x, int out_features) {
  const std::int64_t in = g.shape(x).c, out = out_features;
  const Value w = weight(g, name, {out, in}, {out, in, 1, 1});
  return g.add(Linear{}, {x, w, bias(g, name, out, in)}, name);
}

Value group_norm(Graph& g, const std::string& name, Value x, const NormSpec& spec) {
  const auto [gamma, beta] = norm_params(g, name, g.shape(x).c);
  return g.add(GroupNorm{spec.groups, spec.eps, spec.activation, Modulation::none}, {x, gamma, beta}, name);
}

Value group_norm(Graph& g, const std::string& name, Value x, const NormSpec& spec, Modulation modulation,
                 Value by) {
  const auto [gamma, beta] = norm_params(g, name, g.shape(x).c);
  return g.add(GroupNorm{spec.groups, spec.eps, spec.activation, modulation}, {x, gamma, beta, by}, name);
}

Value channel_norm(Graph& g, const std::string& name, Value x, double eps) {
  const std::int64_t channels = g.shape(x).c;
  const Value gain = g.param({{{name + ".g", {1, channels, 1, 1}}}, {Init::Kind::ones}}, {1, channels, 1, 1});
  return g.add(ChannelNorm{eps}, {x, gain}, name);
}

Value layer_norm(Graph& g, const std::string& name, Value x, double eps) {
  const auto [gamma, beta] = norm_params(g, name, g.shape(x).c);
  return g.add(ChannelNorm{eps}, {x, gamma, beta}, name);
}

Value stacked_pointwise(Graph& g, const std::string& name, std::initializer_list<const char*> parts, Value x,
                        int out_channels, bool bias) {
  const std::int64_t in = g.shape(x).c, d = out_channels, out = d * std::int64_t(parts.size());
  Param weights{{}, uniform_by_fan_in(in)}, biases{{}, uniform_by_fan_in(in)};
  for (const char* part : parts) {
    weights.parts.push_back({name + part + ".weight", {d, in}});
    biases.parts.push_back({name + part + ".bias", {d}});
  }
  const Value w = g.param(std::move(weights), {out, in, 1, 1});
  if (!bias) return g.add(Conv2d{}, {x, w}, name + ".stacked");
  return g.add(Conv2d{}, {x, w, g.param(std::move(biases), {1, out, 1, 1})}, name + ".stacked");
}

Value project_qkv(Graph& g, const std::string& name, Value x, int inner) {
  return stacked_pointwise(g, name, {".to_q", ".to_k", ".to_v"}, x, inner, true);
}

}  // namespace diffusion
