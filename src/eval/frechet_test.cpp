#include "eval/frechet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {
namespace {

FeatureSet scaled_features(int count, int width, std::uint32_t number, double scale = 1, double shift = 0) {
  FeatureSet set{count, width, std::vector<float>(std::size_t(count) * std::size_t(width))};
  fill_normal({3, Stream::init, number, 0}, set.values);
  for (float& v : set.values) v = float(double(v) * scale + shift);
  return set;
}

TEST(Frechet, MeanAndCovarianceByHand) {
  const Gaussian g = gaussian_of({3, 2, {1, 10, 2, 30, 6, 20}});
  EXPECT_NEAR(g.mean[0], 3, 1e-15);
  EXPECT_NEAR(g.mean[1], 20, 1e-14);
  EXPECT_NEAR(g.covariance.at(0, 0), 7, 1e-14);  // (4 + 1 + 9) / 2
  EXPECT_NEAR(g.covariance.at(1, 0), 5, 1e-14);  // (-2 -10, -1 10, 3 0) / 2
  EXPECT_NEAR(g.covariance.at(1, 1), 100, 1e-13);
}

TEST(Frechet, BlocksAndCountsAreTheSameAsRows) {
  const FeatureSet rows = scaled_features(150, 7, 0);
  std::vector<int> times(150, 1);
  times[3] = 0;
  times[70] = 4;
  FeatureSet repeated{0, 7, {}};
  for (int i = 0; i < rows.count; ++i)
    for (int k = 0; k < times[std::size_t(i)]; ++k, ++repeated.count)
      repeated.values.insert(repeated.values.end(), rows.row(i).begin(), rows.row(i).end());
  Moments counted(7), pieces(7);
  counted.add(rows.values, times);
  for (int i = 0; i < repeated.count; ++i) pieces.add(repeated.row(i));
  ASSERT_EQ(counted.count(), repeated.count);
  ASSERT_EQ(pieces.count(), repeated.count);
  const Gaussian a = counted.gaussian(), b = pieces.gaussian(), c = gaussian_of(repeated);
  for (int i = 0; i < 7; ++i) {
    EXPECT_NEAR(a.mean[std::size_t(i)], c.mean[std::size_t(i)], 1e-14);
    for (int j = 0; j <= i; ++j) {
      EXPECT_NEAR(a.covariance.at(i, j), c.covariance.at(i, j), 1e-13);
      EXPECT_NEAR(b.covariance.at(i, j), c.covariance.at(i, j), 1e-13);
    }
  }
}

// Sums of squares would have lost everything: 1e6^2 is 1e12, the variance 1e-2.
TEST(Frechet, VarianceFarFromZero) {
  FeatureSet set{1000, 1, {}};
  for (int i = 0; i < 1000; ++i) set.values.push_back(1e6f + (i % 2 == 0 ? 0.125f : -0.125f));
  EXPECT_NEAR(gaussian_of(set).covariance.at(0, 0), 0.015625 * 1000 / 999, 1e-13);
}

TEST(Frechet, DiagonalGaussiansByFormula) {
  Gaussian a{{0, 1, 2}, SymmetricMatrix(3)}, b{{0, 1, 4}, SymmetricMatrix(3)};
  for (int i = 0; i < 3; ++i) {
    a.covariance.at(i, i) = (i + 1) * (i + 1);
    b.covariance.at(i, i) = 1;
  }
  EXPECT_NEAR(frechet_distance(a, b), 4 + 0 + 1 + 4,
              1e-13);         // the squared differences of means and deviations
  b.covariance.at(2, 2) = 0;  // one without any spread
  EXPECT_NEAR(frechet_distance(a, b), 4 + 0 + 1 + 9, 1e-13);
  EXPECT_NEAR(frechet_distance(b, a), 4 + 0 + 1 + 9, 1e-13);
}

TEST(Frechet, ScalesAndShifts) {
  const FeatureSet x = scaled_features(300, 20, 1), y = scaled_features(200, 20, 2, 1.5, 0.25);
  const double distance = frechet_distance(x, y);
  FeatureSet x3 = x, y3 = y;
  for (float& v : x3.values) v *= 4;
  for (float& v : y3.values) v *= 4;
  EXPECT_NEAR(frechet_distance(x3, y3), 16 * distance, 1e-11 * distance);
  EXPECT_NEAR(frechet_distance(x, x), 0, 1e-10);
  EXPECT_GE(frechet_distance(x, x), 0);
}

// A set and its move differ by the move alone, also with fewer images than features.
TEST(Frechet, MovedSetsOfLowRank) {
  const FeatureSet x = scaled_features(10, 128, 3);
  FeatureSet y = x;
  for (float& v : y.values) v += 0.5f;
  EXPECT_NEAR(frechet_distance(x, y), 0.25 * 128, 1e-5);
}

TEST(Frechet, Refusals) {
  const auto kind = [](auto&& action) {
    try {
      action();
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::internal;
  };
  const FeatureSet good = scaled_features(5, 3, 0);
  EXPECT_EQ(kind([&] { frechet_distance(good, scaled_features(5, 4, 0)); }), ErrorKind::usage);
  EXPECT_EQ(kind([&] { frechet_distance(good, scaled_features(1, 3, 0)); }), ErrorKind::usage);
  EXPECT_EQ(kind([&] { frechet_distance(FeatureSet{}, good); }), ErrorKind::usage);
  EXPECT_EQ(kind([&] { frechet_distance(FeatureSet{5, 3, {1, 2}}, good); }), ErrorKind::usage);
  EXPECT_EQ(kind([&] {
              frechet_distance(FeatureSet{2, 1, {1, NAN}}, FeatureSet{2, 1, {1, 2}});
            }),
            ErrorKind::non_finite);
  EXPECT_EQ(kind([&] { Moments(3).gaussian(); }), ErrorKind::usage);
}

TEST(Features, PartsAreDisjointAndTogetherAll) {
  FeatureSet set{10, 1, {}};
  for (int i = 0; i < 10; ++i) set.values.push_back(float(i));
  const FeatureSet a = random_part(set, 5, 0, 7), b = random_part(set, 5, 1, 7);
  std::vector<float> all = a.values;
  all.insert(all.end(), b.values.begin(), b.values.end());
  EXPECT_NE(all, set.values);
  EXPECT_EQ(random_part(set, 5, 0, 7).values, a.values);
  EXPECT_NE(random_part(set, 5, 0, 8).values, a.values);
  std::ranges::sort(all);
  EXPECT_EQ(all, set.values);
  EXPECT_THROW(random_part(set, 5, 2, 7), Error);
  EXPECT_THROW(random_part(set, 0, 0, 7), Error);
  EXPECT_THROW(random_part(set, 2'000'000'000, 2'000'000'000, 7), Error);
}

}  // namespace
}  // namespace diffusion
