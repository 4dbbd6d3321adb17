#include "plan/lifetimes.h"

#include <gtest/gtest.h>

#include <vector>

#include "plan/analysis.h"
#include "plan/gradient_sharing.h"

namespace diffusion {
namespace {

// Nothing is computed again.
RunClock once(const Graph& graph) {
  return RunClock(graph, std::vector<bool>(graph.nodes().size(), false));
}

// 0: x, 1: w, 2: linear(x, w), 3: active(linear), 4: beside(linear), which is not live, 5: out(active).
// Linear and Activate read their inputs in the backward.
struct Chain {
  Graph graph;
  Value out;

  Chain() {
    const Value x = graph.input("x", {1, 4, 1, 1});
    const Value w = graph.param({{{"w", {4, 4}}}, {}, true}, {4, 4, 1, 1});
    const Value linear = graph.add(Linear{}, {x, w}, "linear");
    const Value active = graph.add(Activate{}, {linear}, "active");
    graph.add(Activate{}, {linear}, "beside");
    out = graph.add(Add{2}, {active, active}, "out");
  }
  PlanBlocks blocks(Mode mode, GradientsOf wanted) const {
    const std::vector<bool> live = find_live(graph, out), needs = find_needs_grad(graph, wanted);
    const std::vector<NodeBytes> bytes{{10}, {}, {20, 1, 2}, {30, 3, 0}, {40, 5, 6}, {50, 0, 4}};
    return find_lifetimes(graph, out, mode, once(graph), live, needs, share_gradients(graph, live, needs),
                          bytes);
  }
};

constexpr int kForever = RunClock::kForever;

// A block as {size, first, last}; {} if there is none.
std::vector<std::size_t> block(const PlanBlocks& plan, int index) {
  if (index < 0) return {};
  const Lifetime& b = plan.blocks.at(std::size_t(index));
  return {b.size, std::size_t(b.first), std::size_t(b.last)};
}
using Block = std::vector<std::size_t>;

TEST(RunClock, BackwardIsTheForwardMirrored) {
  const Chain chain;
  const RunClock clock = once(chain.graph);
  EXPECT_EQ(clock.forward(5), 5);
  EXPECT_EQ(clock.between(), 6);
  EXPECT_EQ(clock.backward(5), 7);
  EXPECT_EQ(clock.backward(0), 12);
}

// 0: x, then a block of 1: first, 2: second, 3: third, and 4: out. All read their inputs in the backward.
struct Blocks {
  Graph graph;
  Value out;

  Blocks() {
    Value x = graph.input("x", {1, 4, 1, 1});
    {
      const auto block = graph.block();
      for (const char* name : {"first", "second", "third"}) x = graph.add(Activate{}, {x}, name);
    }
    out = graph.add(Activate{}, {x}, "out");
  }
};

TEST(RunClock, ABlockIsComputedAgainBeforeItsBackward) {
  const Blocks b;
  const RunClock clock(b.graph, {false, true, true, false, false});
  EXPECT_EQ(clock.backward(4), 6);
  EXPECT_EQ(clock.again(1), 7);
  EXPECT_EQ(clock.again(2), 8);
  EXPECT_EQ(clock.backward(3), 9);
  EXPECT_EQ(clock.backward(0), 12);
  EXPECT_TRUE(clock.recomputes(2));
  EXPECT_FALSE(clock.recomputes(3));
}

TEST(FindLifetimes, OfInference) {
  const PlanBlocks plan = Chain().blocks(Mode::inference, {});
  EXPECT_EQ(block(plan, plan.value[0]), (Block{10, std::size_t(-1), kForever})) << "inputs stay";
  EXPECT_EQ(block(plan, plan.value[1]), Block{}) << "parameters are not the plan's";
  EXPECT_EQ(block(plan, plan.value[2]), (Block{20, 2, 3})) << "until its last reader that is live";
  EXPECT_EQ(block(plan, plan.value[3]), (Block{30, 3, 5}));
  EXPECT_EQ(block(plan, plan.value[4]), Block{}) << "nobody reads it";
  EXPECT_EQ(block(plan, plan.value[5]), (Block{50, 5, 6})) << "the output is read after the forward";
  EXPECT_EQ(block(plan, plan.forward_workspace[2]), (Block{2, 2, 2}));
  EXPECT_EQ(block(plan, plan.saved[2]), Block{}) << "nothing is saved in inference";
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(plan.grad[i], -1);
    EXPECT_EQ(plan.backward_workspace[i], -1);
  }
  EXPECT_EQ(plan.bytes(), 10u + 20 + 30 + 50 + 2 + 4);
}

TEST(FindLifetimes, OfTraining) {
  const PlanBlocks plan = Chain().blocks(Mode::training, {.params = true});
  EXPECT_EQ(block(plan, plan.value[2]), (Block{20, 2, 9})) << "active's backward reads it";
  EXPECT_EQ(block(plan, plan.value[3]), (Block{30, 3, 5})) << "a sum's backward does not";
  EXPECT_EQ(block(plan, plan.grad[0]), Block{}) << "nobody wants the input's";
  EXPECT_EQ(block(plan, plan.grad[1]), Block{}) << "parameters have their own";
  EXPECT_EQ(block(plan, plan.grad[5]), (Block{50, 6, 7})) << "written between forward and backward";
  EXPECT_EQ(block(plan, plan.grad[3]), (Block{30, 7, 9}));
  EXPECT_EQ(block(plan, plan.grad[2]), (Block{20, 9, 10}));
  EXPECT_EQ(block(plan, plan.saved[2]), (Block{1, 2, 10}));
  EXPECT_EQ(block(plan, plan.saved[3]), (Block{3, 3, 9}));
  EXPECT_EQ(block(plan, plan.backward_workspace[5]), (Block{4, 7, 7}));
}

TEST(FindLifetimes, GradientOfAnInputStays) {
  const PlanBlocks plan = Chain().blocks(Mode::training, {.inputs = true});
  EXPECT_EQ(block(plan, plan.grad[0]), (Block{10, 10, kForever}));
}

TEST(FindLifetimes, SharedGradientsAreOneBlock) {
  Graph g;
  const Value x = g.input("x", {1, 4, 1, 1});
  const Value a = g.add(Activate{}, {x}, "a"), middle = g.add(Activate{}, {a}, "middle"),
              b = g.add(Activate{}, {middle}, "b"), sum = g.add(Add{}, {a, b}, "sum");
  const std::vector<bool> live = find_live(g, sum), needs = find_needs_grad(g, {.inputs = true});
  const std::vector<NodeBytes> bytes(5, {8});
  const PlanBlocks plan =
      find_lifetimes(g, sum, Mode::training, once(g), live, needs, share_gradients(g, live, needs), bytes);
  EXPECT_EQ(plan.grad[std::size_t(a.id)], plan.grad[std::size_t(sum.id)]);
  EXPECT_EQ(plan.grad[std::size_t(b.id)], plan.grad[std::size_t(sum.id)]);
  EXPECT_EQ(block(plan, plan.grad[std::size_t(middle.id)]), (Block{8, 7, 8})) << "has its own";
  EXPECT_EQ(block(plan, plan.grad[std::size_t(sum.id)]), (Block{8, 5, 9})) << "until a's backward";
}

TEST(FindLifetimes, WhatIsComputedAgainLivesTwice) {
  const Blocks b;
  const std::vector<bool> live(5, true), needs(5, true);
  const std::vector<NodeBytes> bytes(5, NodeBytes{10, 2, 3});
  const RunClock clock(b.graph, {false, true, true, false, false});
  const PlanBlocks plan = find_lifetimes(b.graph, b.out, Mode::training, clock, live, needs,
                                         share_gradients(b.graph, live, needs), bytes);
  const auto twice = [&](int index) {
    const Lifetime& block = plan.blocks.at(std::size_t(index));
    return std::vector<int>{block.first, block.last, block.again_first, block.again_last};
  };
  EXPECT_EQ(twice(plan.value[1]), (std::vector<int>{1, 2, 7, 10})) << "read by the backward of the second";
  EXPECT_EQ(twice(plan.value[2]), (std::vector<int>{2, 3, 8, 9}));
  EXPECT_EQ(twice(plan.value[3]), (std::vector<int>{3, 6, 0, -1})) << "kept";
  EXPECT_EQ(twice(plan.saved[1]), (std::vector<int>{1, 1, 7, 11}));
  EXPECT_EQ(twice(plan.saved[3]), (std::vector<int>{3, 9, 0, -1}));
  EXPECT_EQ(twice(plan.forward_workspace[2]), (std::vector<int>{2, 2, 8, 8}));
}

}  // namespace
}  // namespace diffusion
