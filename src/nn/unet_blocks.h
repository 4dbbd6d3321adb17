#pragma once

// The blocks that diffusers' U-Nets share. Names of parameters are theirs.

#include <string>

#include "graph/graph.h"

namespace diffusion {

// What the residual blocks of one network have in common.
struct ResidualStyle {
  int norm_groups;
  double norm_eps;
  Activation activation;
  bool scale_shift;  // time scales and shifts after the second normalization, else shifts before it
  double dropout;
};

// Writes blocks into the graph of one network.
class UNetBlocks {
 public:
  // `graph` must outlive this.
  UNetBlocks(Graph& graph, const ResidualStyle& style) : g_(graph), style_(style) {}

  // What every residual block sees of time and class, [N, width, 1, 1], before the activation.
  void set_embedding(Value embedding);

  enum class Resize { none, down, up };

  // norm - act - (resize) - conv - time - norm - act - conv, plus the shortcut, divided by `output_scale`.
  Value resnet(const std::string& name, Value x, int out_channels, double output_scale,
               Resize resize = Resize::none);

  // A 3x3 convolution with stride 2. padding 0: the border is at the bottom and right alone.
  Value downsample(const std::string& name, Value x, int padding);
  Value upsample(const std::string& name, Value x);

 private:
  Graph& g_;
  ResidualStyle style_;
  Value embedding_;
  int dropouts_ = 0;
};

// linear - act - linear, as a timestep's features become an embedding: [N, features, 1, 1] to [N, width, 1,
// 1].
Value embedding_mlp(Graph& g, const std::string& name, Value features, int width, Activation activation);

}  // namespace diffusion
