#include "eval/nearest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <diffusion/device.h>
#include "base/rng.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

using fixtures::error_of;

// Quick: some of these are large.
Dataset noise(int count, int side, int channels, std::uint32_t seed) {
  std::vector<std::uint8_t> pixels(std::size_t(count * side * side * channels));
  for (std::uint8_t& pixel : pixels) pixel = std::uint8_t((seed = seed * 1664525 + 1013904223) >> 24);
  return {"noise", side, side, channels, std::move(pixels), {}, {}};
}

FeatureSet features_to_search(int count, int width, std::uint32_t number) {
  FeatureSet set{count, width, std::vector<float>(std::size_t(count) * std::size_t(width))};
  fill_normal({5, Stream::init, number, 0}, set.values);
  return set;
}

std::vector<std::pair<double, int>> sorted_distances(std::span<const std::uint8_t> image,
                                                     const Dataset& among) {
  std::vector<std::pair<double, int>> distances;
  for (int j = 0; j < among.count(); ++j) {
    double sum = 0;
    for (std::size_t p = 0; p < image.size(); ++p)
      sum += std::pow(double(image[p]) - double(among.image(j)[p]), 2);
    distances.emplace_back(std::sqrt(sum), j);
  }
  std::ranges::sort(distances);
  return distances;
}

TEST(Nearest, InPixelsAreThoseOfASort) {
  const Dataset images = noise(60, 5, 3, 1), among = noise(1100, 5, 3, 2);
  const Neighbors neighbors = nearest_in_pixels(images, among, 4);
  ASSERT_EQ(neighbors.count(), 60);
  for (int i = 0; i < 60; ++i) {
    const auto expected = sorted_distances(images.image(i), among);
    for (std::size_t n = 0; n < 4; ++n) {
      EXPECT_EQ(neighbors.of(i)[n].index, expected[n].second);
      EXPECT_DOUBLE_EQ(neighbors.of(i)[n].distance, expected[n].first);
    }
    EXPECT_EQ(neighbors.nearest_distances()[std::size_t(i)], neighbors.of(i)[0].distance);
  }
}

// Images are 40,000 values, so that several chunks of both sets are needed. Copies differ by little: f32
// products alone could not tell a distance of 0 from one of 1.
TEST(Nearest, CopiesAreFoundInEveryChunk) {
  Dataset among = noise(430, 200, 1, 3);
  std::vector<std::uint8_t> pixels;
  constexpr int kEvery = 7;
  for (int j = 0; j < 430; j += kEvery)
    pixels.insert(pixels.end(), among.image(j).begin(), among.image(j).end());
  const std::size_t size = 200 * 200;
  for (std::size_t i = 0; i < pixels.size() / size; ++i)
    if (i % 2 == 1) pixels[i * size + i] ^= 1;
  const Dataset images{"copies", 200, 200, 1, std::move(pixels), {}, {}};
  double last_share = 0;
  const Neighbors neighbors = nearest_in_pixels(images, among, 2, [&](double share) {
    EXPECT_GT(share, last_share);
    last_share = share;
  });
  EXPECT_EQ(last_share, 1);
  for (int i = 0; i < images.count(); ++i) {
    EXPECT_EQ(neighbors.of(i)[0].index, kEvery * i);
    EXPECT_EQ(neighbors.of(i)[0].distance, i % 2);
    EXPECT_GT(neighbors.of(i)[1].distance, 1000);
  }
}

TEST(Nearest, EqualOnesInOrder) {
  const Dataset images{"one", 1, 1, 1, std::vector<std::uint8_t>{10}, {}, {}},
      among{"some", 1, 1, 1, std::vector<std::uint8_t>{30, 9, 11, 13, 9}, {}, {}};
  const Neighbors neighbors = nearest_in_pixels(images, among, 5);
  const std::vector<int> order{1, 2, 4, 3, 0};
  for (std::size_t n = 0; n < 5; ++n) EXPECT_EQ(neighbors.of(0)[n].index, order[n]);
  EXPECT_EQ(neighbors.of(0)[4].distance, 20);
}

TEST(Nearest, InFeatures) {
  FeatureSet features = features_to_search(20, 6, 1);
  const FeatureSet among = features_to_search(700, 6, 2);
  std::ranges::copy(among.row(699), features.values.begin());
  const Neighbors neighbors = nearest_in_features(features, among, 1);
  EXPECT_EQ(neighbors.of(0)[0].index, 699);
  EXPECT_EQ(neighbors.of(0)[0].distance, 0);
  for (int i = 1; i < 20; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (int j = 0; j < 700; ++j) {
      double sum = 0;
      for (std::size_t c = 0; c < 6; ++c)
        sum += std::pow(double(features.row(i)[c]) - double(among.row(j)[c]), 2);
      least = std::min(least, std::sqrt(sum));
    }
    EXPECT_NEAR(neighbors.of(i)[0].distance, least, 1e-12);
  }
}

TEST(Nearest, ThreadsDoNotMatter) {
  const Dataset images = noise(200, 8, 1, 4), among = noise(900, 8, 1, 5);
  const int threads = thread_count();
  set_threads(1);
  const Neighbors one = nearest_in_pixels(images, among, 3);
  set_threads(3);
  const Neighbors three = nearest_in_pixels(images, among, 3);
  set_threads(threads);
  for (std::size_t n = 0; n < one.all.size(); ++n) EXPECT_EQ(one.all[n].index, three.all[n].index);
}

TEST(Nearest, Refusals) {
  const Dataset images = noise(3, 2, 1, 6), colors = noise(3, 2, 3, 7), none{"none", 2, 2, 1, {}, {}, {}};
  EXPECT_EQ(error_of([&] { nearest_in_pixels(images, images, 0); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { nearest_in_pixels(images, images, 4); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { nearest_in_pixels(images, colors, 1); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { nearest_in_pixels(images, none, 1); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { nearest_in_pixels(none, images, 1); }).kind(), ErrorKind::usage);
  FeatureSet features = features_to_search(4, 2, 8);
  EXPECT_EQ(error_of([&] { nearest_in_features(features, features_to_search(4, 3, 9), 1); }).kind(),
            ErrorKind::usage);
  features.values[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_of([&] { nearest_in_features(features, features, 1); }).kind(), ErrorKind::non_finite);
}

}  // namespace
}  // namespace diffusion
