#include "base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace diffusion {
namespace {

// Known answers of Philox4x32-10, published with Random123.
TEST(Philox, KnownAnswers) {
  const auto zero = philox({0, Stream(0), 0, 0}, 0);
  EXPECT_EQ(zero, (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  const auto full = philox({~std::uint64_t(0), Stream(ones), ones, ones}, ones);
  EXPECT_EQ(full, (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  const auto pi = philox({0x299f31d0a4093822, Stream(0x03707344), 0x13198a2e, 0x85a308d3}, 0x243f6a88);
  EXPECT_EQ(pi, (std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, EveryPartOfTheKeyMatters) {
  const RandomKey key{1, Stream::flip, 2, 3};
  const double base = uniform(key, 4);
  EXPECT_NE(base, uniform({2, Stream::flip, 2, 3}, 4));
  EXPECT_NE(base, uniform({1, Stream::shuffle, 2, 3}, 4));
  EXPECT_NE(base, uniform({1, Stream::flip, 3, 3}, 4));
  EXPECT_NE(base, uniform({1, Stream::flip, 2, 4}, 4));
  EXPECT_NE(base, uniform(key, 5));
  EXPECT_NE(uniform({1, Stream::flip, 2, 3}), uniform({1 + (std::uint64_t(1) << 32), Stream::flip, 2, 3}));
}

TEST(Random, UniformCoversItsRangeEvenly) {
  std::array<int, 10> bins{};
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const double u = uniform({5, Stream::noise_level, i, 0});
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++bins[std::size_t(u * 10)];
  }
  double chi2 = 0;
  for (int count : bins) chi2 += (count - 2000.0) * (count - 2000.0) / 2000.0;
  EXPECT_LT(chi2, 27.9);  // 9 degrees of freedom, one in a thousand
  for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_LT(uniform_below({5, Stream::shuffle, i, 0}, 7), 7u);
}

TEST(Random, NormalHasNormalMomentsAndTails) {
  std::vector<double> x(100000);
  fill_normal({7, Stream::train_noise, 0, 0}, x);
  double mean = 0, square = 0, fourth = 0;
  for (double v : x) {
    mean += v;
    square += v * v;
    fourth += v * v * v * v;
  }
  const double n = double(x.size());
  EXPECT_NEAR(mean / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(square / n, 1, 4 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n, 3, 4 * std::sqrt(96 / n));
  const auto beyond3 = std::ranges::count_if(x, [](double v) { return std::abs(v) > 3; });
  EXPECT_NEAR(double(beyond3), 270, 4 * std::sqrt(270.0));
}

TEST(Random, NormalsDoNotDependOnHowManyAreAskedFor) {
  std::vector<float> all(37), some(10);
  fill_normal({7, Stream::train_noise, 3, 9}, all);
  fill_normal({7, Stream::train_noise, 3, 9}, some);
  EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
}

// Tabulated quantiles (NIST), and the distribution function as the inverse everywhere.
TEST(Random, NormalQuantilesAreTheDistributionsInverse) {
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-13);
  for (double u = 1e-9; u < 1; u += 0.0137)
    EXPECT_NEAR(std::erfc(-normal_quantile(u) / std::sqrt(2)) / 2, u, 1e-15) << u;
  EXPECT_EQ(normal_quantile(0), normal_quantile(0x1p-33));
  EXPECT_EQ(normal_quantile(1), normal_quantile(1 - 0x1p-33));
  EXPECT_NEAR(normal_quantile(1), -normal_quantile(0), 1e-6);  // erfc near 2 has few digits left
  EXPECT_NEAR(normal_quantile(0), -6.3, 0.1);
}

TEST(Permute, IsAPermutationForEverySize) {
  for (std::uint64_t size : {1u, 2u, 3u, 5u, 16u, 17u, 1000u, 4097u}) {
    std::vector<bool> seen(size, false);
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint64_t p = permute({3, Stream::shuffle, 0, 1}, i, size);
      ASSERT_LT(p, size);
      EXPECT_FALSE(seen[p]) << p << " twice, size " << size;
      seen[p] = true;
    }
  }
}

TEST(Permute, EpochsDifferAndLookShuffled) {
  constexpr std::uint64_t kSize = 2000;
  int fixed = 0, same_in_both = 0, ascents = 0;
  std::uint64_t previous = 0;
  for (std::uint64_t i = 0; i < kSize; ++i) {
    const std::uint64_t a = permute({3, Stream::shuffle, 0, 0}, i, kSize),
                        b = permute({3, Stream::shuffle, 0, 1}, i, kSize);
    fixed += a == i;
    same_in_both += a == b;
    ascents += a > previous;
    previous = a;
  }
  EXPECT_LT(fixed, 8);  // 1 is expected
  EXPECT_LT(same_in_both, 8);
  EXPECT_NEAR(ascents, 1000, 4 * std::sqrt(kSize / 12.0) + 1);
}

}  // namespace
}  // namespace diffusion
