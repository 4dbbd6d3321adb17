#include "io/resize.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace diffusion {
namespace {

Image gray(int width, int height, std::vector<std::uint8_t> pixels) {
  return {width, height, 1, std::move(pixels)};
}

TEST(Resize, ShrinkingAveragesTheAreaOfEachPixel) {
  EXPECT_EQ(resize(gray(4, 2, {0, 10, 100, 200, 20, 30, 120, 220}), 2, 1), gray(2, 1, {15, 160}));
  // 3 to 2: each covers one pixel and half of the middle one.
  EXPECT_EQ(resize(gray(3, 1, {30, 60, 90}), 2, 1), gray(2, 1, {40, 80}));
}

TEST(Resize, GrowingIsLinearBetweenCenters) {
  EXPECT_EQ(resize(gray(2, 1, {0, 100}), 4, 1), gray(4, 1, {0, 25, 75, 100}));
  EXPECT_EQ(resize(gray(1, 1, {7}), 3, 2), gray(3, 2, {7, 7, 7, 7, 7, 7}));
}

TEST(Resize, KeepsChannelsApartAndConstantsConstant) {
  Image rgb{7, 5, 3, {}};
  for (int p = 0; p < 35; ++p) rgb.pixels.insert(rgb.pixels.end(), {255, 3, 128});
  for (const auto& [width, height] : {std::pair{3, 2}, {20, 3}, {2, 11}, {9, 9}}) {
    const Image out = resize(rgb, width, height);
    for (std::size_t i = 0; i < out.pixels.size(); ++i) ASSERT_EQ(out.pixels[i], rgb.pixels[i % 3]);
  }
}

TEST(Resize, ImpossibleSizesAreRefused) {
  const Image image = gray(1, 1, {7});
  EXPECT_THROW(resize(image, 0, 1), Error);
  EXPECT_THROW(resize(image, 1, -1), Error);
  EXPECT_THROW(resize(image, std::numeric_limits<int>::max(), 2), Error);
  EXPECT_THROW(resize(gray(2, 2, {1}), 1, 1), Error);
  EXPECT_THROW(enlarge(image, 0), Error);
  EXPECT_THROW(enlarge(image, std::numeric_limits<int>::max()), Error);
  EXPECT_THROW(center_square(image, 0), Error);
  EXPECT_THROW(center_square(gray(1000, 1, std::vector<std::uint8_t>(1000)), 10000), Error);
}

TEST(CenterSquare, KeepsTheMiddle) {
  EXPECT_EQ(center_square(gray(4, 1, {1, 2, 3, 4}), 1), gray(1, 1, {2}));
  EXPECT_EQ(center_square(gray(2, 4, {0, 0, 10, 20, 30, 40, 9, 9}), 2), gray(2, 2, {10, 20, 30, 40}));
  EXPECT_EQ(center_square(gray(2, 6, {0, 0, 0, 0, 8, 16, 24, 32, 1, 1, 1, 1}), 1), gray(1, 1, {20}));
}

TEST(Enlarge, RepeatsPixels) {
  EXPECT_EQ(enlarge(gray(2, 1, {1, 2}), 2), gray(4, 2, {1, 1, 2, 2, 1, 1, 2, 2}));
  EXPECT_EQ(enlarge(Image{1, 1, 3, {1, 2, 3}}, 2), (Image{2, 2, 3, {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}}));
}

TEST(OnWhite, CompositesAlpha) {
  EXPECT_EQ(on_white(Image{3, 1, 2, {0, 0, 0, 255, 100, 51}}), gray(3, 1, {255, 0, 224}));
  EXPECT_EQ(on_white(Image{1, 1, 4, {10, 20, 30, 255}}), (Image{1, 1, 3, {10, 20, 30}}));
  EXPECT_EQ(on_white(gray(1, 1, {9})), gray(1, 1, {9}));
}

}  // namespace
}  // namespace diffusion
