#include "plan/analysis.h"

#include <gtest/gtest.h>

#include <vector>

#include "plan/gradient_sharing.h"

namespace diffusion {
namespace {

using Modes = std::vector<GradMode>;
constexpr GradMode kSkip = GradMode::skip, kOverwrite = GradMode::overwrite,
                   kAccumulate = GradMode::accumulate;

// x -> linear(x, w, frozen) -> a -> sum = a + linear; and an op beside that nobody reads.
struct Branched {
  Graph graph;
  Value x, w, frozen, linear, a, sum, beside;

  Branched() {
    x = graph.input("x", {1, 4, 1, 1});
    w = graph.param({{{"w", {4, 4}}}, {}, true}, {4, 4, 1, 1});
    frozen = graph.param({{{"b", {4}}}, {}, false}, {1, 4, 1, 1});
    linear = graph.add(Linear{}, {x, w, frozen}, "linear");
    a = graph.add(Activate{}, {linear}, "a");
    beside = graph.add(Activate{}, {a}, "beside");
    sum = graph.add(Add{}, {a, linear}, "sum");
  }
};

TEST(FindLive, IsWhatTheOutputDependsOn) {
  const Branched b;
  EXPECT_EQ(find_live(b.graph, b.sum), (std::vector<bool>{true, true, true, true, true, false, true}));
  EXPECT_EQ(find_live(b.graph, b.linear), (std::vector<bool>{true, true, true, true, false, false, false}));
}

TEST(FindNeedsGrad, FollowsWhatIsWanted) {
  const Branched b;
  EXPECT_EQ(find_needs_grad(b.graph, {}), std::vector<bool>(7, false));
  EXPECT_EQ(find_needs_grad(b.graph, {.params = true}),
            (std::vector<bool>{false, true, false, true, true, true, true}));
  EXPECT_EQ(find_needs_grad(b.graph, {.inputs = true}),
            (std::vector<bool>{true, false, false, true, true, true, true}));
}

Modes modes_of(const Branched& b, Value node, GradientsOf wanted, bool share) {
  const std::vector<bool> live = find_live(b.graph, b.sum), needs = find_needs_grad(b.graph, wanted);
  std::vector<int> block{0, 1, 2, 3, 4, 5, 6};
  if (share) block = share_gradients(b.graph, live, needs);
  return find_grad_modes(b.graph, b.sum, live, needs, block)[std::size_t(node.id)];
}

TEST(FindGradModes, FirstWriterOverwritesAndOthersAdd) {
  const Branched b;
  const GradientsOf both{.inputs = true, .params = true};
  EXPECT_EQ(modes_of(b, b.sum, both, false), (Modes{kOverwrite, kOverwrite}));
  EXPECT_EQ(modes_of(b, b.a, both, false), Modes{kAccumulate}) << "after the sum has written linear's";
  EXPECT_EQ(modes_of(b, b.linear, both, false), (Modes{kOverwrite, kAccumulate, kSkip}));
  EXPECT_TRUE(modes_of(b, b.beside, both, false).empty()) << "nobody reads it";
}

TEST(FindGradModes, NothingIsWrittenWhereMemoryIsShared) {
  const Branched b;
  EXPECT_EQ(modes_of(b, b.sum, {.params = true}, true), (Modes{kSkip, kSkip}));
  EXPECT_EQ(modes_of(b, b.a, {.params = true}, true), Modes{kAccumulate});
}

TEST(FindGradModes, NothingIsWantedInInference) {
  const Branched b;
  EXPECT_EQ(modes_of(b, b.linear, {}, false), (Modes{kSkip, kSkip, kSkip}));
}

}  // namespace
}  // namespace diffusion
