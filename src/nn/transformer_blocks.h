#pragma once

// Transformer blocks on feature maps: a token is a pixel, [N,C,H,W]; a text of T tokens is [N,C,T,1].

#include <optional>
#include <string>

#include "graph/graph.h"

namespace diffusion {

// diffusers' Transformer2DModel: norm - linear - blocks - linear, plus its input. A block is attention of
// pixels to each other, attention of pixels to the words, and a feed-forward layer with GEGLU; each after
// layer normalization, and added to what comes in.
struct PictureTransformer {
  int heads;
  int depth;  // blocks
  int norm_groups;
  bool linear_projection;     // what is written in files as [out, in], else as a 1x1 convolution
  bool only_cross_attention;  // pixels attend to all words instead of to each other, then to those to be seen
};

// What words are to a network.
struct Words {
  Value states;               // [N, D, T, 1]
  std::optional<Value> mask;  // [N, 1, T, 1], 0 for tokens that are not to be seen
};

Value picture_transformer(Graph& g, const std::string& name, Value x, const Words& words,
                          const PictureTransformer& shape);

}  // namespace diffusion
