#include "eval/memorization.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <diffusion/error.h>
#include "base/rng.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

// Neighbors with these distances to the nearest.
Neighbors at(const std::vector<double>& distances) {
  Neighbors neighbors{1, {}};
  for (const double d : distances) neighbors.all.push_back({0, d});
  return neighbors;
}

TEST(Memorization, CountsSamplesBelowTheQuantile) {
  std::vector<double> test(1001);
  std::iota(test.begin(), test.end(), 10);  // the 0.1% quantile is the second smallest
  const std::vector<double> samples{500, 11, 10.5, 40, 3};
  const Memorization m = memorization(samples, test);
  EXPECT_NEAR(m.test_quantile, 11, 1e-9);
  EXPECT_EQ(m.closest, 3);
  EXPECT_EQ(m.nearer, 2);  // 10.5 and 3; 11 is not nearer
  EXPECT_DOUBLE_EQ(m.share_nearer, 0.4);
  EXPECT_EQ(m.median, 11);
  EXPECT_EQ(m.test_median, 510);
  EXPECT_EQ(fixtures::error_of([&] { memorization({}, test); }).kind(), ErrorKind::usage);
  EXPECT_EQ(fixtures::error_of([&] { memorization(samples, {}); }).kind(), ErrorKind::usage);
}

Dataset pictures(const std::vector<std::uint8_t>& pixels) {
  return {"pictures", 4, 4, 1, pixels, {}, {}};
}

std::vector<std::uint8_t> random_pixels(int count, std::uint32_t number) {
  std::vector<std::uint8_t> pixels(std::size_t(count * 16));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = std::uint8_t(uniform_below({4, Stream::init, number, 0}, 256, std::uint32_t(i)));
  return pixels;
}

TEST(Memorization, FindsAPlantedCopyAndNothingElse) {
  const Dataset training = pictures(random_pixels(500, 1)), test = pictures(random_pixels(200, 2));
  std::vector<std::uint8_t> pixels = random_pixels(100, 3);
  const auto honest = nearest_in_pixels(pictures(pixels), training, 1).nearest_distances();
  const auto reference = nearest_in_pixels(test, training, 1).nearest_distances();
  EXPECT_LT(memorization(honest, reference).nearer, 3);
  std::ranges::copy(training.image(321), pixels.begin() + 42 * 16);
  pixels[42 * 16] ^= 3;  // almost
  const Neighbors planted = nearest_in_pixels(pictures(pixels), training, 1);
  const Memorization m = memorization(planted.nearest_distances(), reference);
  EXPECT_EQ(m.nearer, memorization(honest, reference).nearer + 1);
  EXPECT_LE(m.closest, 3);
  EXPECT_LT(m.closest, 0.1 * m.test_quantile);
  EXPECT_EQ(planted.of(42)[0].index, 321);
  EXPECT_EQ(samples_to_show(planted, planted).closest_in_pixels.front(), 42);
}

TEST(Memorization, ShowsTheClosestAndSomeOfAllDistances) {
  std::vector<double> pixels, features;
  for (int i = 0; i < 100; ++i) {
    pixels.push_back(i * 37 % 100);
    features.push_back(i * 37 % 100 < 4 ? 0.001 * (i * 37 % 100)
                                        : i);  // the closest in pixels are so in features, too
  }
  const ShownSamples shown = samples_to_show(at(pixels), at(features));
  ASSERT_EQ(shown.closest_in_pixels.size(), 4u);
  for (std::size_t n = 0; n < 4; ++n) EXPECT_EQ(pixels[std::size_t(shown.closest_in_pixels[n])], double(n));
  EXPECT_EQ(shown.closest_in_features, (std::vector<int>{1, 2, 3, 4}));  // 0 is shown already
  ASSERT_EQ(shown.typical.size(), 8u);
  double last = 0;
  for (const int i : shown.typical) {
    EXPECT_NEAR(pixels[std::size_t(i)] - last, last == 0 ? 10 : 11.5, 3);
    last = pixels[std::size_t(i)];
  }
}

TEST(Memorization, FewSamplesAreShownOnceEach) {
  for (const int count : {1, 3, 6, 9, 16, 17}) {
    std::vector<double> distances(static_cast<std::size_t>(count), 1.0);
    const ShownSamples shown = samples_to_show(at(distances), at(distances));
    std::multiset<int> all;
    for (const auto* list : {&shown.closest_in_pixels, &shown.closest_in_features, &shown.typical})
      all.insert(list->begin(), list->end());
    EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), all.size());
    EXPECT_EQ(int(all.size()), std::min(count, 16));
  }
}

}  // namespace
}  // namespace diffusion
