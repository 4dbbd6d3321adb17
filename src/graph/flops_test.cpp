#include "graph/flops.h"

#include <gtest/gtest.h>

#include "nn/network.h"

namespace diffusion {
namespace {

TEST(Flops, CountsTheMultiplicationsAndAdditionsOfTheDefinition) {
  // A 3x3 convolution from 4 to 8 channels on 2 images of 5x6: each of 2*8*30 outputs is 4*9 products and
  // their sum.
  const std::vector<Shape> conv{{2, 4, 5, 6}, {8, 4, 3, 3}};
  EXPECT_EQ(forward_flops(Conv2d{1, 1, 1, 1, 1}, conv), 2.0 * 2 * 8 * 30 * 4 * 9);
  const std::vector<Shape> strided{{2, 4, 6, 6}, {8, 4, 3, 3}};
  EXPECT_EQ(forward_flops(Conv2d{2, 1, 1, 1, 1}, strided), 2.0 * 2 * 8 * 9 * 4 * 9);
  const std::vector<Shape> depthwise{{2, 4, 5, 6}, {4, 1, 3, 3}};
  EXPECT_EQ(forward_flops(Conv2d{1, 1, 1, 1, 1, 4}, depthwise), 2.0 * 2 * 4 * 30 * 9);
  // The transpose of the strided convolution costs the same.
  const std::vector<Shape> transposed{{2, 8, 3, 3}, {8, 4, 4, 4}};
  EXPECT_EQ(forward_flops(ConvTranspose2d{2, 1}, transposed), 2.0 * 2 * 8 * 9 * 4 * 16);
  const std::vector<Shape> linear{{3, 10, 1, 1}, {7, 10, 1, 1}};
  EXPECT_EQ(forward_flops(Linear{}, linear), 2.0 * 3 * 10 * 7);
}

TEST(Flops, AttentionIsTwoProductsPerHead) {
  const std::vector<Shape> qkv{{2, 3 * 8, 4, 4}};
  EXPECT_EQ(forward_flops(Attention{2}, qkv), 2 * 2.0 * 2 * 16 * 16 * 8);
  EXPECT_EQ(forward_flops(LinearAttention{2}, qkv), 2 * 2.0 * 2 * 16 * 4 * 4 * 2);
}

TEST(Flops, OfAGraphIsTheSumOfItsNodes) {
  Graph graph;
  const Value x = graph.input("x", {1, 4, 8, 8});
  const Value w = graph.param({{{"w", {4, 4, 3, 3}}}, {}}, {4, 4, 3, 3});
  const Value y = graph.add(Conv2d{1, 1, 1, 1, 1}, {x, w}, "conv");
  graph.add(Activate{}, {y}, "silu");
  EXPECT_EQ(forward_flops(graph, x.id), 0);
  EXPECT_EQ(forward_flops(graph, y.id), 2.0 * 4 * 64 * 4 * 9);
  EXPECT_EQ(forward_flops(graph), forward_flops(graph, y.id));
}

TEST(Flops, GrowWithTheBatch) {
  UNetConfig config;
  config.sample_size = {8, 8};
  config.block_out_channels = {32, 64};
  config.down_block_attention = {false, true};
  config.up_block_attention = {true, false};
  const double one = forward_flops(make_network(config, 1, 8, 8).graph);
  EXPECT_GT(one, 1e6);
  EXPECT_EQ(forward_flops(make_network(config, 6, 8, 8).graph), 6 * one);
}

}  // namespace
}  // namespace diffusion
