#include "series/impute_baselines.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {
namespace {

using FilledValues = std::vector<double>;
const double kMissingValue = std::nan("");

TEST(ImputeBaselines, LinesGoBetweenNeighborsAndOnToTheEnds) {
  EXPECT_EQ(line_between(FilledValues{kMissingValue, 2, kMissingValue, kMissingValue, 8, kMissingValue}, 2),
            (FilledValues{2, 2, 4, 6, 8, 8}));
  EXPECT_THROW(line_between(FilledValues{kMissingValue}, 2), Error);
}

TEST(ImputeBaselines, SeasonalMeansAreOfTheSamePlace) {
  EXPECT_EQ(seasonal_mean(FilledValues{1, 10, kMissingValue, 20, 3, kMissingValue}, 2),
            (FilledValues{1, 10, 2, 20, 3, 15}));
  // Nothing is known at the second place of the season: a line.
  EXPECT_EQ(seasonal_mean(FilledValues{1, kMissingValue, 3, kMissingValue}, 2), (FilledValues{1, 2, 3, 3}));
}

TEST(ImputeBaselines, ALineIsPutUponTheMean) {
  // A season of two upon a slope: away from the ends, means and lines together are nearly exact.
  FilledValues values;
  for (int i = 0; i < 60; ++i) values.push_back(10 * (i % 2) + i);
  FilledValues shown = values;
  shown[30] = shown[31] = kMissingValue;
  const FilledValues filled = seasonal_mean_and_line(shown, 2);
  EXPECT_NEAR(filled[30], values[30], 0.1);
  EXPECT_NEAR(filled[31], values[31], 0.1);
  EXPECT_EQ(filled[29], values[29]);
  EXPECT_GT(std::abs(line_between(shown, 2)[30] - values[30]), 2);
  EXPECT_EQ(impute_baselines().size(), 3u);
}

}  // namespace
}  // namespace diffusion
