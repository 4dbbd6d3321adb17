#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <diffusion/error.h>
#include "base/rng.h"
#include "eval/frechet.h"

namespace diffusion {
namespace {

FeatureSet shifted_features(int count, int width, std::uint32_t number, double shift = 0) {
  FeatureSet set{count, width, std::vector<float>(std::size_t(count) * std::size_t(width))};
  fill_normal({6, Stream::init, number, 0}, set.values);
  for (float& v : set.values) v += float(shift);
  return set;
}

TEST(Bootstrap, QuantilesAsNumPy) {
  EXPECT_EQ(quantile({3}, 0.05), 3);
  EXPECT_NEAR(quantile({4, 1, 3, 2}, 0.5), 2.5, 1e-15);
  EXPECT_NEAR(quantile({4, 1, 3, 2}, 0.05), 1.15, 1e-15);
  EXPECT_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_THROW(quantile({}, 0.5), Error);
}

TEST(Bootstrap, AResampleHasAsManyRowsAndItsOwnOnes) {
  const auto a = resample(1000, 1, 0, 0);
  EXPECT_EQ(std::accumulate(a.begin(), a.end(), 0), 1000);
  EXPECT_NEAR(double(std::ranges::count(a, 0)), 1000 / std::exp(1), 50);
  EXPECT_EQ(resample(1000, 1, 0, 0), a);
  EXPECT_NE(resample(1000, 1, 1, 0), a);
  EXPECT_NE(resample(1000, 1, 0, 1), a);
  EXPECT_NE(resample(1000, 2, 0, 0), a);
}

// The interval of a mean is 1.645 standard errors to each side.
TEST(Bootstrap, MeanOfManyNumbers) {
  std::vector<double> values(400);
  fill_normal({7, Stream::init, 0, 0}, values);
  const Score score = bootstrap_mean(values, 1000, 3);
  EXPECT_NEAR(score.value, std::accumulate(values.begin(), values.end(), 0.0) / 400, 1e-12);
  EXPECT_NEAR(score.interval.high - score.value, 1.645 / 20, 0.015);
  EXPECT_NEAR(score.value - score.interval.low, 1.645 / 20, 0.015);
}

// Against many fresh pairs of sets, which is what the interval stands for: its width is about theirs, and it
// holds the distance of most of them.
TEST(Bootstrap, FrechetIntervalIsThatOfFreshSets) {
  constexpr int kFresh = 100;
  std::vector<double> fresh;
  for (std::uint32_t i = 0; i < kFresh; ++i)
    fresh.push_back(
        frechet_distance(shifted_features(300, 4, 2 * i), shifted_features(300, 4, 2 * i + 1, 0.3)));
  const double width = quantile(fresh, 0.95) - quantile(fresh, 0.05), middle = quantile(fresh, 0.5);
  int covered = 0;
  double mean_width = 0;
  constexpr int kTried = 20;
  for (std::uint32_t i = 0; i < kTried; ++i) {
    const Score score =
        bootstrap_frechet(shifted_features(300, 4, 2 * i), shifted_features(300, 4, 2 * i + 1, 0.3), 100, i);
    EXPECT_EQ(score.value, fresh[i]);
    EXPECT_LT(score.interval.low, score.value);
    EXPECT_GT(score.interval.high, score.value);
    covered += score.interval.low <= middle && middle <= score.interval.high ? 1 : 0;
    mean_width += (score.interval.high - score.interval.low) / kTried;
  }
  EXPECT_NEAR(mean_width, width, 0.35 * width);
  EXPECT_GE(covered, 14);
  // Of few resamples, which is all that wide features get, it is as wide on average.
  double mean_width_of_few = 0;
  for (std::uint32_t i = 0; i < kTried; ++i) {
    const Score score =
        bootstrap_frechet(shifted_features(300, 4, 2 * i), shifted_features(300, 4, 2 * i + 1, 0.3), 10, i);
    EXPECT_EQ(score.value, fresh[i]);
    mean_width_of_few += (score.interval.high - score.interval.low) / kTried;
  }
  EXPECT_NEAR(mean_width_of_few, mean_width, 0.2 * mean_width);
}

}  // namespace
}  // namespace diffusion
