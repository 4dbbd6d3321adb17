#include "plan/analysis.h"

#include <gtest/gtest.h>

#include <vector>

#include "plan/gradient_sharing.h"

namespace diffusion {
namespace {

using Modes = std::vector<GradMode>;
constexpr GradMode kSkip = GradMode::skip, kOverwrite = GradMode::overwrite,
                   kAccumulate = GradMode::accumulate;

// linear(x, w, frozen) -> a -> b, sum = b + linear; and an op beside that nobody reads.
struct Branched {
  Graph graph;
  Value x, w, frozen, linear, a, b, beside, sum;  // nodes 0 to 7

  Branched() {
    x = graph.input("x", {1, 4, 1, 1});
    w = graph.param({{{"w", {4, 4}}}, {}, true}, {4, 4, 1, 1});
    frozen = graph.param({{{"b", {4}}}, {}, false}, {1, 4, 1, 1});
    linear = graph.add(Linear{}, {x, w, frozen}, "linear");
    a = graph.add(Activate{}, {linear}, "a");
    b = graph.add(Activate{}, {a}, "b");
    beside = graph.add(Activate{}, {b}, "beside");
    sum = graph.add(Add{}, {b, linear}, "sum");
  }
};

TEST(FindLive, IsWhatTheOutputDependsOn) {
  const Branched g;
  EXPECT_EQ(find_live(g.graph, g.sum), (std::vector<bool>{true, true, true, true, true, true, false, true}));
  EXPECT_EQ(find_live(g.graph, g.linear),
            (std::vector<bool>{true, true, true, true, false, false, false, false}));
}

TEST(FindNeedsGrad, FollowsWhatIsWanted) {
  const Branched g;
  EXPECT_EQ(find_needs_grad(g.graph, {}), std::vector<bool>(8, false));
  EXPECT_EQ(find_needs_grad(g.graph, {.params = true}),
            (std::vector<bool>{false, true, false, true, true, true, true, true}));
  EXPECT_EQ(find_needs_grad(g.graph, {.inputs = true}),
            (std::vector<bool>{true, false, false, true, true, true, true, true}));
}

std::vector<Modes> modes_of(const Branched& g, GradientsOf wanted, bool share) {
  const std::vector<bool> live = find_live(g.graph, g.sum), needs = find_needs_grad(g.graph, wanted);
  std::vector<int> block{0, 1, 2, 3, 4, 5, 6, 7};
  if (share) block = share_gradients(g.graph, live, needs);
  return find_grad_modes(g.graph, g.sum, live, needs, block);
}

TEST(FindGradModes, FirstWriterOverwritesAndOthersAdd) {
  const std::vector<Modes> modes = modes_of(Branched(), {.inputs = true, .params = true}, false);
  const std::vector<Modes> expected{{},
                                    {},
                                    {},
                                    {kOverwrite, kAccumulate, kSkip},
                                    {kAccumulate},  // after the sum has written linear's
                                    {kOverwrite},
                                    {},  // nobody reads what is beside
                                    {kOverwrite, kOverwrite}};
  EXPECT_EQ(modes, expected);
}

TEST(FindGradModes, NothingIsWrittenWhereMemoryIsShared) {
  const Branched g;
  const std::vector<Modes> modes = modes_of(g, {.params = true}, true);
  EXPECT_EQ(modes[std::size_t(g.sum.id)], (Modes{kSkip, kSkip}));
  EXPECT_EQ(modes[std::size_t(g.a.id)], Modes{kAccumulate});
}

TEST(FindGradModes, NothingIsWantedInInference) {
  const Branched g;
  EXPECT_EQ(modes_of(g, {}, false)[std::size_t(g.linear.id)], (Modes{kSkip, kSkip, kSkip}));
}

}  // namespace
}  // namespace diffusion
