#include "data/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <numeric>
#include <set>

#include <diffusion/error.h>

namespace diffusion {
namespace {

TEST(Shapes, AreDeterministicAndDependOnTheSeed) {
  const Dataset a = make_shapes(500, 42), b = make_shapes(500, 42), c = make_shapes(500, 43);
  EXPECT_TRUE(std::ranges::equal(a.pixels.bytes(), b.pixels.bytes()));
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_NE(a.labels, c.labels);
  EXPECT_FALSE(std::ranges::equal(a.pixels.bytes(), c.pixels.bytes()));
}

TEST(Shapes, ImageDoesNotDependOnTheCount) {
  const Dataset small = make_shapes(123, 9), large = make_shapes(1000, 9);
  EXPECT_TRUE(std::ranges::equal(small.pixels.bytes(), large.pixels.bytes().first(small.pixels.size())));
  EXPECT_TRUE(std::equal(small.labels.begin(), small.labels.end(), large.labels.begin()));
}

TEST(Shapes, ClassesAreBalancedInEveryTenAndShuffled) {
  const Dataset dataset = make_shapes(2000, 0);
  ASSERT_EQ(dataset.class_names.size(), 10u);
  std::set<std::vector<std::uint16_t>> orders;
  for (std::size_t i = 0; i < 2000; i += 10) {
    const std::vector<std::uint16_t> ten(dataset.labels.begin() + std::ptrdiff_t(i),
                                         dataset.labels.begin() + std::ptrdiff_t(i + 10));
    EXPECT_EQ(std::set<std::uint16_t>(ten.begin(), ten.end()).size(), 10u);
    orders.insert(ten);
  }
  EXPECT_GT(orders.size(), 190u);
}

TEST(Shapes, ImagesAreDistinctVisibleAndUncropped) {
  const Dataset dataset = make_shapes(2000, 0);
  ASSERT_EQ(dataset.count(), 2000);
  std::set<std::vector<std::uint8_t>> distinct;
  for (int i = 0; i < dataset.count(); ++i) {
    const auto image = dataset.image(i);
    distinct.insert({image.begin(), image.end()});
    const double mean = std::accumulate(image.begin(), image.end(), 0.0) / 784;
    EXPECT_GT(mean, 8) << i;
    EXPECT_LT(mean, 150) << i;
    EXPECT_GE(*std::max_element(image.begin(), image.end()), 100) << i;
    int rim = 0;  // a figure may touch the rim, but must not run along it
    for (std::size_t k = 0; k < 28; ++k)
      for (const std::size_t at : {k, 27 * 28 + k, 28 * k, 28 * k + 27}) rim += image[at] > 128;
    EXPECT_LE(rim, 12) << i;
  }
  EXPECT_EQ(distinct.size(), 2000u);
}

// A figure turned by any angle covers the same area. Its share of the bounding circle's square is known for
// some.
TEST(Shapes, FiguresHaveTheirAreas) {
  const Dataset dataset = make_shapes(20000, 5);
  std::array<double, 10> covered{};  // mean number of pixels that are not black
  for (int i = 0; i < dataset.count(); ++i) {
    const auto image = dataset.image(i);
    const double peak = *std::max_element(image.begin(), image.end());
    for (const auto pixel : image)
      covered[dataset.labels[std::size_t(i)]] += pixel > peak / 2.5 ? 1.0 / 2000 : 0.0;
  }
  const double mean_square_radius = (13.0 * 13 * 13 - 8.0 * 8 * 8) / (3 * 5.0);  // radius uniform in [8, 13]
  const double pi = 3.14159265358979;
  const std::array<double, 10> area{pi * 0.85 * 0.85,
                                    pi * (0.9 * 0.9 - 0.5 * 0.5),
                                    1.36 * 1.36,
                                    1.42 * 1.42 - 0.78 * 0.78,
                                    3 * std::sqrt(3.0) / 4,
                                    2 * 1.88 * 0.52 - 0.52 * 0.52,
                                    3 * 0.30 * 1.42,
                                    1.4 * 1.4 / 2,
                                    5 * 0.45 * std::sin(pi / 5),
                                    0};
  for (std::size_t k = 0; k < 9; ++k)
    EXPECT_NEAR(covered[k] / (area[k] * mean_square_radius), 1, 0.12) << dataset.class_names[k];
}

TEST(Shapes, AreDrawnFast) {
  const auto start = std::clock();
  make_shapes(20000, 0);
  EXPECT_LT(double(std::clock() - start) / CLOCKS_PER_SEC,
            20);  // 0.4 s built for release; the rest is for sanitizers
}

TEST(Shapes, RefusesNoImages) {
  EXPECT_THROW(make_shapes(0, 0), Error);
  EXPECT_THROW(make_shapes(-5, 0), Error);
}

}  // namespace
}  // namespace diffusion
