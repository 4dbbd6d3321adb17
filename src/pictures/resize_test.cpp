#include "pictures/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include "support/scratch.h"

namespace diffusion {
namespace {

Image gray(int width, int height, std::vector<std::uint8_t> pixels) {
  return {width, height, 1, std::move(pixels)};
}

TEST(Resize, IsWhatPillowDoes) {
  const Json golden = scratch::pillow_golden("resize");
  ASSERT_EQ(to_array(golden, "resize").size(), 48u);
  for (const Json& row : to_array(golden, "resize")) {
    const auto side = [&](const char* key, std::size_t i) {
      return int(to_int(to_array(member(row, key, "resize"), key).at(i), key));
    };
    const int channels = int(to_int(member(row, "channels", "resize"), "channels"));
    const Image image = scratch::synthetic_picture(side("from", 0), side("from", 1), channels);
    const Image resized = resize(image, side("to", 0), side("to", 1));
    const std::vector<std::uint8_t> expected = scratch::golden_pixels(member(row, "pixels", "resize"));
    ASSERT_EQ(resized.pixels.size(), expected.size());
    // Pillow 13 resizes columns first where that removes more rows than twice the columns: rounded in other
    // places.
    const int rows_removed = side("from", 1) - side("to", 1),
              columns_removed = side("from", 0) - side("to", 0);
    const int tolerance = rows_removed > std::max(0, 2 * columns_removed) ? 1 : 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(resized.pixels[i], expected[i], tolerance) << dump_json(row);
  }
}

// Triangles as wide as two pixels of the result.
TEST(Resize, ShrinkingByHand) {
  // Weights of the outer pixels of 4 to 2: 3/7, 3/7, 1/7, 0.
  EXPECT_EQ(resize(gray(4, 1, {7, 14, 70, 210}), 2, 1), gray(2, 1, {19, 122}));
  EXPECT_EQ(resize(gray(1, 4, {7, 14, 70, 210}), 1, 2), gray(1, 2, {19, 122}));
}

TEST(Resize, GrowingIsLinearBetweenCenters) {
  EXPECT_EQ(resize(gray(2, 1, {0, 100}), 4, 1), gray(4, 1, {0, 25, 75, 100}));
  EXPECT_EQ(resize(gray(1, 1, {7}), 3, 2), gray(3, 2, {7, 7, 7, 7, 7, 7}));
}

TEST(Resize, TransparentPixelsHaveNoColor) {
  const Image edge{4, 1, 4, {200, 100, 50, 255, 200, 100, 50, 255, 0, 0, 0, 0, 0, 0, 0, 0}};
  const Image out = resize(edge, 3, 1);
  for (std::size_t p = 0; p < 2; ++p) {
    EXPECT_GT(out.pixels[p * 4 + 3], 0);
    EXPECT_NEAR(out.pixels[p * 4], 200, 2);
    EXPECT_NEAR(out.pixels[p * 4 + 2], 50, 2);
  }
}

TEST(Resize, LongNarrowPictures) {
  const Image tall = gray(1, 140'000, std::vector<std::uint8_t>(140'000, 200));
  EXPECT_EQ(resize(tall, 1, 3), gray(1, 3, {200, 200, 200}));
  EXPECT_EQ(resize(tall, 100, 3).pixels, std::vector<std::uint8_t>(300, 200));
  EXPECT_THROW(resize(tall, 1, 2), Error);  // shrinks more than 65,536 times
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
  EXPECT_EQ(center_square(gray(2, 6, {0, 0, 0, 0, 8, 16, 24, 32, 1, 1, 1, 1}), 1),
            gray(1, 1, {15}));  // (12 3 + 28 3 + 1) / 8
}

TEST(Enlarge, RepeatsPixels) {
  EXPECT_EQ(enlarge(gray(2, 1, {1, 2}), 2), gray(4, 2, {1, 1, 2, 2, 1, 1, 2, 2}));
  EXPECT_EQ(enlarge(Image{1, 1, 3, {1, 2, 3}}, 2), (Image{2, 2, 3, {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}}));
}

TEST(ResizeShorterSide, RoundsTheLongerSideDown) {
  const auto size_of = [](const Image& image) { return std::pair(image.width, image.height); };
  const Image wide = scratch::synthetic_picture(64, 48, 1), tall = scratch::synthetic_picture(48, 64, 3);
  EXPECT_EQ(size_of(resize_shorter_side(wide, 13)), std::pair(17, 13));  // 17.33
  EXPECT_EQ(size_of(resize_shorter_side(tall, 13)), std::pair(13, 17));
  EXPECT_EQ(size_of(resize_shorter_side(tall, 48)), std::pair(48, 64));
  EXPECT_EQ(size_of(resize_shorter_side(scratch::synthetic_picture(10, 6, 1), 4)), std::pair(6, 4));  // 6.67
  EXPECT_EQ(size_of(resize_to_width(scratch::synthetic_picture(640, 480, 1), 160)), std::pair(160, 120));
  EXPECT_EQ(size_of(resize_to_width(wide, 13)), std::pair(13, 9));  // 9.75
  EXPECT_EQ(size_of(resize_to_width(scratch::synthetic_picture(64, 1, 1), 13)), std::pair(13, 1));
  EXPECT_EQ(resize_to_width(wide, 32), resize(wide, 32, 24));
  EXPECT_THROW(resize_to_width(wide, 0), Error);
  EXPECT_THROW(resize_shorter_side(wide, -3), Error);
  EXPECT_THROW(resize_to_width(gray(1, 1000, std::vector<std::uint8_t>(1000)), 1'000'000), Error);
}

TEST(Crop, TakesAPart) {
  const Image image = gray(3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(crop(image, 1, 0, 2, 2), gray(2, 2, {2, 3, 5, 6}));
  EXPECT_EQ(crop(image, 0, 2, 1, 3), gray(3, 1, {7, 8, 9}));
  EXPECT_EQ(crop(Image{2, 1, 2, {1, 2, 3, 4}}, 1, 0, 1, 1), (Image{1, 1, 2, {3, 4}}));
  EXPECT_EQ(center_crop(image, 1, 3), gray(3, 1, {4, 5, 6}));
  EXPECT_EQ(center_crop(image, 2, 1), gray(1, 2, {2, 5}));
  EXPECT_THROW(crop(image, 2, 0, 1, 2), Error);
  EXPECT_THROW(crop(image, -1, 0, 1, 1), Error);
  EXPECT_THROW(crop(image, 0, std::numeric_limits<int>::max(), 1, 1), Error);
  EXPECT_THROW(crop(image, 0, 0, 0, 1), Error);
  EXPECT_THROW(center_crop(image, 4, 1), Error);
  EXPECT_THROW(center_crop(image, 1, std::numeric_limits<int>::max()), Error);
}

}  // namespace
}  // namespace diffusion
