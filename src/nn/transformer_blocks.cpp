#include "nn/transformer_blocks.h"

#include <fmt/format.h>

#include "nn/layers.h"

namespace diffusion {

namespace {

constexpr double kLayerNormEps = 1e-5, kGroupNormEps = 1e-6;

Value attend_to_self(Graph& g, const std::string& name, Value x, int heads) {
  const int channels = int(g.shape(x).c);
  const Value qkv = stacked_pointwise(g, name, {".to_q", ".to_k", ".to_v"}, x, channels, false);
  const Value out = g.add(Attention{heads}, {qkv}, name + ".softmax");
  return pointwise(g, name + ".to_out.0", out, channels);
}

Value attend_to_words(Graph& g, const std::string& name, Value x, const Words& words, int heads) {
  const int channels = int(g.shape(x).c);
  const Value q = plain_pointwise(g, name + ".to_q", x, channels);
  const Value kv = stacked_pointwise(g, name, {".to_k", ".to_v"}, words.states, channels, false);
  const Value out = words.mask ? g.add(CrossAttention{heads}, {q, kv, *words.mask}, name + ".softmax")
                               : g.add(CrossAttention{heads}, {q, kv}, name + ".softmax");
  return pointwise(g, name + ".to_out.0", out, channels);
}

Value feed_forward(Graph& g, const std::string& name, Value x) {
  const int channels = int(g.shape(x).c), inner = 4 * channels;
  const Value both = pointwise(g, name + ".net.0.proj", x, 2 * inner);
  return pointwise(g, name + ".net.2", g.add(Gate{Activation::gelu}, {both}, name + ".gate"), channels);
}

Value block(Graph& g, const std::string& name, Value x, const Words& words, const PictureTransformer& shape) {
  const Value first = layer_norm(g, name + ".norm1", x, kLayerNormEps);
  // diffusers gives the mask of the words to the second attention alone.
  const Value mixed = shape.only_cross_attention
                          ? attend_to_words(g, name + ".attn1", first, {words.states, {}}, shape.heads)
                          : attend_to_self(g, name + ".attn1", first, shape.heads);
  x = g.add(Add{}, {x, mixed}, name + ".add1");
  const Value second = layer_norm(g, name + ".norm2", x, kLayerNormEps);
  x = g.add(Add{}, {x, attend_to_words(g, name + ".attn2", second, words, shape.heads)}, name + ".add2");
  const Value third = layer_norm(g, name + ".norm3", x, kLayerNormEps);
  return g.add(Add{}, {x, feed_forward(g, name + ".ff", third)}, name);
}

}  // namespace

Value picture_transformer(Graph& g, const std::string& name, Value x, const Words& words,
                          const PictureTransformer& shape) {
  const int channels = int(g.shape(x).c), inner = channels / shape.heads * shape.heads;
  const auto project = [&](const std::string& part, Value from, int to) {
    return shape.linear_projection ? pointwise(g, name + part, from, to) : conv1x1(g, name + part, from, to);
  };
  Value h = group_norm(g, name + ".norm", x, {shape.norm_groups, kGroupNormEps});
  h = project(".proj_in", h, inner);
  for (int k = 0; k < shape.depth; ++k)
    h = block(g, fmt::format("{}.transformer_blocks.{}", name, k), h, words, shape);
  return g.add(Add{}, {project(".proj_out", h, channels), x}, name);
}

}  // namespace diffusion
