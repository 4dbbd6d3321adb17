#include "series/hidden_values.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <diffusion/error.h>

namespace diffusion {
namespace {

const RandomKey kHiddenKey{.seed = 3, .stream = Stream::hidden, .sample = 1, .step = 2};

int hidden_count(const std::vector<bool>& hidden) {
  return int(std::ranges::count(hidden, true));
}

TEST(HiddenValues, PointsAreTheShare) {
  EXPECT_NEAR(hidden_count(hidden_values(10'000, Hiding::points, 0.3, 1, kHiddenKey)), 3000, 200);
  EXPECT_EQ(hidden_count(hidden_values(100, Hiding::points, 0, 1, kHiddenKey)), 0);
}

TEST(HiddenValues, BlocksAreExactlyTheShareInRows) {
  const std::vector<bool> hidden = hidden_values(1000, Hiding::blocks, 0.25, 24, kHiddenKey);
  EXPECT_EQ(hidden_count(hidden), 250);
  int rows = 0;
  for (std::size_t i = 1; i < hidden.size(); ++i) rows += hidden[i] && !hidden[i - 1];
  EXPECT_LE(rows, 14);
  EXPECT_GE(rows, 5);
  EXPECT_EQ(hidden_count(hidden_values(10, Hiding::blocks, 0.9, 100, kHiddenKey)), 9);
}

TEST(HiddenValues, AreAFunctionOfTheKey) {
  const auto hidden = hidden_in_training(336, 72, kHiddenKey);
  EXPECT_EQ(hidden_in_training(336, 72, kHiddenKey), hidden);
  for (RandomKey other : {RandomKey{4, Stream::hidden, 1, 2}, RandomKey{3, Stream::hidden, 2, 2},
                          RandomKey{3, Stream::hidden, 1, 3}})
    EXPECT_NE(hidden_in_training(336, 72, other), hidden);
}

TEST(HiddenValues, TrainingHidesFewAndMany) {
  int least = 336, most = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const int count = hidden_count(hidden_in_training(336, 72, {1, Stream::hidden, i, 0}));
    least = std::min(least, count);
    most = std::max(most, count);
  }
  EXPECT_LT(least, 40);
  EXPECT_GE(least, 1);
  EXPECT_GT(most, 290);
  EXPECT_LT(most, 336);
}

TEST(HiddenValues, ShareAndBlockAreChecked) {
  EXPECT_THROW(hidden_values(10, Hiding::points, 1, 1, kHiddenKey), Error);
  EXPECT_THROW(hidden_values(10, Hiding::blocks, 0.5, 0, kHiddenKey), Error);
}

}  // namespace
}  // namespace diffusion
