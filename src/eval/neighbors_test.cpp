#include "eval/neighbors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "eval/kid.h"
#include "eval/prdc.h"

namespace diffusion {
namespace {

FeatureSet random_features(int count, int width, std::uint32_t number, double shift = 0) {
  FeatureSet set{count, width, std::vector<float>(std::size_t(count) * std::size_t(width))};
  fill_normal({5, Stream::init, number, 0}, set.values);
  for (float& v : set.values) v += float(shift);
  return set;
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
  return sum;
}

// Sizes that do not fill blocks, and several blocks in each direction.
TEST(Neighbors, EveryPairOnce) {
  for (const auto& [n, m, width] :
       std::vector<std::array<int, 3>>{{1, 1, 1}, {49, 1030, 3}, {130, 512, 17}}) {
    const FeatureSet x = random_features(n, width, 1, 30), y = random_features(m, width, 2, 30);
    std::vector<int> seen(std::size_t(n * m));
    for_each_squared_distance(x, y, y, [&](const PairBlock& block) {
      for (int r = 0; r < block.rows; ++r)
        for (int c = 0; c < block.columns; ++c) {
          const int i = block.first_row + r, j = block.first_column + c;
          ++seen[std::size_t(i * m + j)];
          EXPECT_NEAR(block.row(r)[std::size_t(c)], squared_distance(x.row(i), y.row(j)), 2e-5 * width);
        }
    });
    EXPECT_EQ(std::ranges::count(seen, 1), n * m);
  }
}

TEST(Neighbors, RadiiAreThoseOfASort) {
  const FeatureSet x = random_features(600, 5, 3, -4);
  const std::array ks{1, 3, 10};
  const auto radii = neighbor_radii(x, x, ks);
  for (int i = 0; i < x.count; ++i) {
    std::vector<double> distances;
    for (int j = 0; j < x.count; ++j)
      if (j != i) distances.push_back(squared_distance(x.row(i), x.row(j)));
    std::ranges::sort(distances);
    for (std::size_t k = 0; k < ks.size(); ++k)
      EXPECT_NEAR(radii[k][std::size_t(i)], distances[std::size_t(ks[k]) - 1], 1e-4);
  }
}

TEST(Neighbors, EqualRowsAreNeighborsAndARowIsNotItsOwn) {
  const std::array ks{1, 2};
  const FeatureSet x{3, 1, {1, 1, 4}};
  const auto radii = neighbor_radii(x, x, ks);
  EXPECT_EQ(radii[0], (std::vector<float>{0, 0, 9}));
  EXPECT_EQ(radii[1], (std::vector<float>{9, 9, 9}));
  EXPECT_THROW(neighbor_radii(x, x, std::array{3}), Error);
  EXPECT_THROW(neighbor_radii(x, x, std::array{0}), Error);
  EXPECT_THROW(neighbor_radii(x, x, std::array{2, 1}), Error);
}

TEST(Neighbors, ThreadsDoNotMatter) {
  const FeatureSet x = random_features(300, 9, 4), y = random_features(280, 9, 5);
  const int threads = thread_count();
  set_threads(1);
  const double one = squared_discrepancy(x, y);
  const ImageScores scores = score_images(x, y);
  set_threads(3);
  EXPECT_EQ(squared_discrepancy(x, y), one);
  EXPECT_EQ(score_images(x, y).density, scores.density);
  EXPECT_EQ(score_images(x, y).recall, scores.recall);
  set_threads(threads);
}

// On a line: real 0, 1, 2, 3, 4, 5 and k = 1: balls of radius 1 around each.
TEST(Prdc, ByHand) {
  const FeatureSet real{6, 1, {0, 1, 2, 3, 4, 5}}, generated{4, 1, {-3, 2.5, 2.75, 9}};
  const ImageScores s = score_images(generated, real, {1, 1});
  EXPECT_EQ(s.precision, (std::vector<double>{0, 1, 1, 0}));
  EXPECT_EQ(s.density, (std::vector<double>{0, 2, 2, 0}));
  EXPECT_EQ(s.coverage, (std::vector<double>{0, 0, 1, 1, 0, 0}));
  // Generated balls: 5.5 around -3, 0.25 around 2.5 and 2.75, 6.25 around 9.
  EXPECT_EQ(s.recall, (std::vector<double>{1, 1, 1, 1, 1, 1}));
}

TEST(Prdc, EqualSetsArePerfectAndFarOnesNothing) {
  const FeatureSet x = random_features(80, 6, 6);
  FeatureSet far = x;
  for (float& v : far.values) v += 1000;
  const Prdc same = summarize(score_images(x, x), 20, 1), none = summarize(score_images(far, x), 20, 1);
  for (const Score& s : {same.precision, same.recall, same.coverage}) {
    EXPECT_EQ(s.value, 1);
    EXPECT_EQ(s.interval.low, 1);
    EXPECT_EQ(s.interval.high, 1);
  }
  // Every image is in its own ball, and on average in those of the five that it is near to.
  EXPECT_NEAR(same.density.value, 1.2, 1e-9);
  for (const Score& s : {none.precision, none.recall, none.density, none.coverage}) EXPECT_EQ(s.value, 0);
}

TEST(Prdc, OneSpotIsPreciseWithoutRecall) {
  const FeatureSet real = random_features(200, 3, 7);
  FeatureSet spot{200, 3, std::vector<float>(600, 0.f)};
  for (std::size_t i = 0; i < 200; ++i) spot.values[3 * i] = 1e-4f * float(i);
  const Prdc prdc = summarize(score_images(spot, real), 20, 1);
  EXPECT_EQ(prdc.precision.value, 1);
  EXPECT_LT(prdc.recall.value, 0.05);
  EXPECT_LT(prdc.coverage.value, 0.2);
}

TEST(Prdc, Refusals) {
  const FeatureSet five = random_features(5, 2, 8), six = random_features(6, 2, 8);
  EXPECT_THROW(score_images(five, six), Error);  // no fifth neighbor
  EXPECT_THROW(score_images(six, five), Error);
  EXPECT_NO_THROW(score_images(six, six));
  EXPECT_THROW(score_images(six, six, {0, 1}), Error);
}

TEST(Kid, MeanOverSubsetsAndItsInterval) {
  const FeatureSet x = random_features(400, 8, 9), y = random_features(500, 8, 10, 0.3);
  const double whole = squared_discrepancy(x, y);
  const Score all = kernel_distance(x, y, {3, 1000}, 1);  // subsets of 400 of 400, and of 400 of 500
  EXPECT_NEAR(all.value, whole, 0.2 * whole);
  const Score score = kernel_distance(x, y, {50, 100}, 1);
  EXPECT_NEAR(score.value, whole, 0.2 * whole);  // each subset is unbiased
  EXPECT_LT(score.interval.low, score.value);
  EXPECT_GT(score.interval.high, score.value);
  EXPECT_GT(score.interval.low, 0);
  EXPECT_EQ(kernel_distance(x, y, {50, 100}, 1).value, score.value);
  EXPECT_NE(kernel_distance(x, y, {50, 100}, 2).value, score.value);
  EXPECT_THROW(kernel_distance(x, y, {0, 100}, 1), Error);
  EXPECT_THROW(kernel_distance(x, y, {1, 1}, 1), Error);
}

TEST(Kid, UnbiasedForEqualDistributions) {
  double sum = 0, squares = 0;
  constexpr int kDraws = 60;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const double d =
        squared_discrepancy(random_features(30, 4, 100 + 2 * i), random_features(20, 4, 101 + 2 * i));
    sum += d;
    squares += d * d;
  }
  const double deviation = std::sqrt(squares / kDraws);
  EXPECT_LT(std::abs(sum / kDraws), 3 * deviation / std::sqrt(kDraws));
}

}  // namespace
}  // namespace diffusion
