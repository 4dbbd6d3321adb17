#pragma once

#include <initializer_list>
#include <string>

#include "graph/graph.h"

namespace diffusion {

// Layers with parameters, named as in PyTorch: `name`.weight, `name`.bias; initialized as PyTorch does.

Value conv(Graph& g, const std::string& name, Value x, int out_channels, int kernel, const Conv2d& geometry);
Value conv3x3(Graph& g, const std::string& name, Value x, int out_channels);
// Enlarges x to twice its height and width by nearest neighbor first.
Value upsample_conv3x3(Graph& g, const std::string& name, Value x, int out_channels);
// Without a bias.
Value plain_conv(Graph& g, const std::string& name, Value x, int out_channels, int kernel,
                 const Conv2d& geometry);
Value depthwise_conv(Graph& g, const std::string& name, Value x, int kernel);
Value conv_transpose(Graph& g, const std::string& name, Value x, int out_channels, int kernel,
                     const ConvTranspose2d& geometry);
// A linear layer on feature maps: weight [out, in] in files.
Value pointwise(Graph& g, const std::string& name, Value x, int out_channels);
// The same without a bias.
Value plain_pointwise(Graph& g, const std::string& name, Value x, int out_channels);
Value conv1x1(Graph& g, const std::string& name, Value x, int out_channels);
Value linear(Graph& g, const std::string& name, Value x, int out_features);

struct NormSpec {
  int groups;
  double eps;
  Activation activation = Activation::none;
};
Value group_norm(Graph& g, const std::string& name, Value x, const NormSpec& spec);
Value group_norm(Graph& g, const std::string& name, Value x, const NormSpec& spec, Modulation modulation,
                 Value by);

// The gain is called `name`.g, and is [1, C, 1, 1] in files.
Value channel_norm(Graph& g, const std::string& name, Value x, double eps);

// Layer normalization over the channels of each pixel, with gain and bias.
Value layer_norm(Graph& g, const std::string& name, Value x, double eps);

// Linear layers `name`.PART of one input as one matrix product, their outputs one after the other along the
// channels: [N, parts out_channels, H, W].
Value stacked_pointwise(Graph& g, const std::string& name, std::initializer_list<const char*> parts, Value x,
                        int out_channels, bool bias);

// to_q, to_k and to_v of the same input: [N, 3 inner, H, W].
Value project_qkv(Graph& g, const std::string& name, Value x, int inner);

}  // namespace diffusion
