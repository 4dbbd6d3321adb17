#include "plan/recomputation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "plan/analysis.h"

namespace diffusion {
namespace {

// The names of what is computed again.
std::vector<std::string> again(const Graph& graph, Value output, GradientsOf wanted) {
  const std::vector<bool> found =
      find_recomputed(graph, output, find_live(graph, output), find_needs_grad(graph, wanted));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i]) names.push_back(graph.nodes()[i].name);
  return names;
}
using Names = std::vector<std::string>;

// A residual block of linear layers: norm - linear - act - linear - dropout, and the sum.
struct Residual {
  Graph graph;
  Value out;

  explicit Residual(bool in_block) {
    const Value x = graph.add(Affine{2}, {graph.input("x", {2, 4, 1, 1})}, "x2");
    if (in_block) {
      const auto block = graph.block();
      out = body(x);
    } else {
      out = body(x);
    }
    graph.add(Activate{}, {out}, "beside");  // not live
    out = graph.add(Affine{3}, {out}, "out");
  }

 private:
  Value weights() { return graph.param({{{"w", {4, 4}}}, {}, true}, {4, 4, 1, 1}); }
  Value body(Value x) {
    const Value scaled = graph.add(Affine{0.5}, {x}, "scaled");
    const Value first = graph.add(Linear{}, {scaled, weights()}, "first");
    const Value active = graph.add(Activate{}, {first}, "active");
    const Value second = graph.add(Linear{}, {active, weights()}, "second");
    const Value dropped = graph.add(Dropout{0.5}, {second}, "dropped");
    return graph.add(Add{}, {x, dropped}, "sum");
  }
};

TEST(FindRecomputed, IsWhatBackwardsInsideOfABlockRead) {
  const Residual r(true);
  EXPECT_EQ(again(r.graph, r.out, {.params = true}), (Names{"scaled", "first", "active"}))
      << "the backwards of dropout and of the sum read nothing";
  EXPECT_EQ(again(r.graph, r.out, {}), Names{}) << "nothing runs backward";
}

TEST(FindRecomputed, WithoutBlocksThereIsNothing) {
  const Residual r(false);
  EXPECT_EQ(again(r.graph, r.out, {.params = true}), Names{});
}

TEST(FindRecomputed, WhatOthersReadIsKept) {
  Graph g;
  const Value x = g.input("x", {1, 4, 1, 1});
  Value first, second;
  {
    const auto block = g.block();
    first = g.add(Activate{}, {x}, "first");
    const auto part_of_it = g.block();
    second = g.add(Activate{}, {first}, "second");
  }
  {
    const auto block = g.block();
    second = g.add(Activate{}, {second}, "third");
    second = g.add(Activate{}, {second}, "fourth");
  }
  const Value skip = g.add(Activate{}, {first}, "skip");
  EXPECT_EQ(again(g, g.add(Add{}, {second, skip}, "out"), {.inputs = true}), Names{"third"});
  EXPECT_EQ(again(g, second, {.inputs = true}), (Names{"first", "third"})) << "skip is not live";
}

}  // namespace
}  // namespace diffusion
