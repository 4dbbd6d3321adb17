#include "plan/arena_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"

namespace diffusion {
namespace {

constexpr int kTimes = 110;  // all blocks are dead then

void expect_valid(const std::vector<Lifetime>& blocks, std::size_t total, std::size_t alignment) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].offset % alignment, 0u);
    EXPECT_LE(blocks[i].offset + blocks[i].size, total);
    for (std::size_t j = 0; j < i; ++j) {
      const Lifetime &a = blocks[i], &b = blocks[j];
      const auto alive = [](const Lifetime& of, int time) {
        return (of.first <= time && time <= of.last) || (of.again_first <= time && time <= of.again_last);
      };
      bool together = false;
      for (int time = 0; time < kTimes; ++time) together |= alive(a, time) && alive(b, time);
      const bool overlap = a.offset < b.offset + b.size && b.offset < a.offset + a.size;
      EXPECT_FALSE(together && overlap) << "blocks " << i << " and " << j;
    }
  }
}

TEST(ArenaPlanner, NothingNeedsNothing) {
  EXPECT_EQ(plan_offsets({}, 64), 0u);
}

TEST(ArenaPlanner, BlocksThatNeverMeetShareMemory) {
  std::vector<Lifetime> blocks{{100, 0, 1}, {100, 2, 3}, {100, 4, 9}};
  EXPECT_EQ(plan_offsets(blocks, 1), 100u);
}

TEST(ArenaPlanner, LifetimesAreInclusive) {
  std::vector<Lifetime> blocks{{100, 0, 2}, {100, 2, 3}};
  EXPECT_EQ(plan_offsets(blocks, 1), 200u);
}

TEST(ArenaPlanner, FillsTheSmallestGapThatFits) {
  // Two tall blocks leave a gap of 50 after the short-lived one dies.
  std::vector<Lifetime> blocks{{1000, 0, 9}, {60, 0, 1}, {500, 0, 9}, {50, 5, 6}};
  const std::size_t total = plan_offsets(blocks, 1);
  expect_valid(blocks, total, 1);
  EXPECT_EQ(total, 1560u);
}

TEST(ArenaPlanner, ABlockMayLiveTwice) {
  // Others fit in between, but not in its second time.
  std::vector<Lifetime> blocks{{100, 0, 1, 0, 6, 7}, {100, 2, 5}, {100, 7, 9}};
  const std::size_t total = plan_offsets(blocks, 1);
  expect_valid(blocks, total, 1);
  EXPECT_EQ(total, 200u);
  EXPECT_EQ(blocks[0].offset, blocks[1].offset);
}

TEST(ArenaPlanner, RandomPlansAreValidAndNotWasteful) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    std::vector<Lifetime> blocks(60);
    for (std::uint32_t i = 0; i < blocks.size(); ++i) {
      const RandomKey key{seed, Stream::shapes, i, 0};
      const int first = int(uniform_below(key, 50, 0));
      blocks[i] = {1 + uniform_below(key, 5000, 1), first, first + int(uniform_below(key, 20, 2))};
      if (i % 3 == 0 && seed % 2 == 0) {
        blocks[i].again_first = blocks[i].last + 1 + int(uniform_below(key, 20, 3));
        blocks[i].again_last = blocks[i].again_first + int(uniform_below(key, 10, 4));
      }
    }
    const std::size_t total = plan_offsets(blocks, 64);
    expect_valid(blocks, total, 64);
    std::size_t peak = 0;  // a lower bound for any plan
    for (int time = 0; time < kTimes; ++time) {
      std::size_t alive = 0;
      for (const Lifetime& b : blocks)
        if ((b.first <= time && time <= b.last) || (b.again_first <= time && time <= b.again_last))
          alive += b.size;
      peak = std::max(peak, alive);
    }
    EXPECT_LE(total, peak + peak / 3) << "seed " << seed;
  }
}

}  // namespace
}  // namespace diffusion
