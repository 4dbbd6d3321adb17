#include "data/transforms.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>

#include <diffusion/error.h>
#include "pictures/exif.h"
#include "pictures/resize.h"

namespace diffusion {
namespace {

// Pixel (x, y) is 16 y + x.
Image numbered(int width, int height) {
  Image image{width, height, 1, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) image.pixels.push_back(std::uint8_t(16 * y + x));
  return image;
}

Image apply_one(const Transform& transform, const Image& image, std::uint32_t sample = 0) {
  return apply(std::span(&transform, 1), image, {5, Stream::transform, sample, 0});
}

TEST(Transforms, AreAppliedInOrder) {
  const Image image = numbered(12, 8);
  const std::array<Transform, 3> list = {ResizeShorterSide{4}, RandomHorizontalFlip{1}, CenterCrop{2, 3}};
  EXPECT_EQ(apply(list, image, {}), center_crop(orient(resize(image, 6, 4), 2), 2, 3));
  EXPECT_EQ(apply({}, image, {}), image);
  EXPECT_EQ(apply_one(ResizeToWidth{3}, image), resize(image, 3, 2));
  EXPECT_EQ(apply_one(ResizeTo{.height = 5, .width = 7}, image), resize(image, 7, 5));
}

TEST(Transforms, FlipHappensAsOftenAsAsked) {
  const Image image = numbered(2, 1), mirrored{2, 1, 1, {1, 0}};
  constexpr int kTrials = 4000;
  for (const double probability : {0.0, 0.25, 0.5, 1.0}) {
    int flips = 0;
    for (std::uint32_t sample = 0; sample < kTrials; ++sample) {
      const Image out = apply_one(RandomHorizontalFlip{probability}, image, sample);
      EXPECT_TRUE(out == image || out == mirrored);
      flips += int(out == mirrored);
    }
    const double deviation = std::sqrt(probability * (1 - probability) / kTrials);
    EXPECT_NEAR(double(flips) / kTrials, probability, 4 * deviation);
  }
}

TEST(Transforms, RandomCropsAreEverywhereAlike) {
  const Image image = numbered(5, 4);
  std::map<int, int> corners;
  for (std::uint32_t sample = 0; sample < 9000; ++sample) {
    const Image part = apply_one(RandomCrop{2, 3}, image, sample);
    const int corner = part.pixels[0], left = corner % 16, top = corner / 16;
    ASSERT_EQ(part, crop(image, left, top, 2, 3));
    ++corners[corner];
  }
  ASSERT_EQ(corners.size(), 9u);  // 3 x 3 places
  for (const auto& [corner, count] : corners) EXPECT_NEAR(count, 1000, 4 * std::sqrt(1000.0));
  EXPECT_EQ(apply_one(RandomCrop{4, 5}, image), image);
}

TEST(Transforms, ArePureFunctionsOfTheKey) {
  const Image image = numbered(16, 16);
  const std::array<Transform, 2> list = {RandomCrop{3, 3}, RandomCrop{1, 1}};
  const RandomKey key{9, Stream::transform, 3, 1};
  EXPECT_EQ(apply(list, image, key), apply(list, image, key));
  // The same transform at another place in the list has other numbers.
  const std::array<Transform, 2> flips = {RandomHorizontalFlip{0.5}, RandomHorizontalFlip{0.5}};
  int unchanged = 0;
  for (std::uint32_t sample = 0; sample < 200; ++sample)
    unchanged += int(apply(flips, image, {9, Stream::transform, sample, 0}) == image);
  EXPECT_GT(unchanged, 60);
  EXPECT_LT(unchanged, 140);
}

TEST(Transforms, RefuseWhatCannotBe) {
  const Image image = numbered(4, 3);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::array<Transform, 13> impossible = {ResizeShorterSide{0},
                                                ResizeToWidth{-1},
                                                ResizeTo{0, 1},
                                                CenterCrop{4, 4},
                                                CenterCrop{0, 1},
                                                RandomCrop{3, 5},
                                                RandomCrop{4, 1},
                                                RandomCrop{0, 0},
                                                RandomCrop{-1, 2},
                                                RandomHorizontalFlip{-.1},
                                                RandomHorizontalFlip{1.1},
                                                RandomHorizontalFlip{nan},
                                                RandomCrop{1, std::numeric_limits<int>::max()}};
  for (const Transform& transform : impossible)
    EXPECT_THROW(apply_one(transform, image), Error) << transform.index();
}

}  // namespace
}  // namespace diffusion
