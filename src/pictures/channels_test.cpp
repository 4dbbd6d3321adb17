#include <gtest/gtest.h>

#include "pictures/resize.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

constexpr std::array<std::uint8_t, 3> kBlack = {0, 0, 0}, kRed = {255, 0, 0};

Image gray_pixels(int width, int height, std::vector<std::uint8_t> pixels) {
  return {width, height, 1, std::move(pixels)};
}

TEST(OnWhite, CompositesAlpha) {
  EXPECT_EQ(on_white(Image{3, 1, 2, {0, 0, 0, 255, 100, 51}}), gray_pixels(3, 1, {255, 0, 224}));
  EXPECT_EQ(on_white(Image{1, 1, 4, {10, 20, 30, 255}}), (Image{1, 1, 3, {10, 20, 30}}));
  EXPECT_EQ(on_white(gray_pixels(1, 1, {9})), gray_pixels(1, 1, {9}));
}

TEST(OverBackground, MixesByAlpha) {
  EXPECT_EQ(over_background(Image{2, 1, 4, {9, 9, 9, 0, 100, 100, 100, 51}}, kRed),
            (Image{2, 1, 3, {255, 0, 0, 224, 20, 20}}));
  EXPECT_EQ(over_background(Image{1, 1, 3, {1, 2, 3}}, kRed), (Image{1, 1, 3, {1, 2, 3}}));
  // Gray stays gray if it can.
  EXPECT_EQ(over_background(Image{1, 1, 2, {100, 51}}, kBlack), gray_pixels(1, 1, {20}));
  EXPECT_EQ(over_background(Image{1, 1, 2, {100, 51}}, kRed), (Image{1, 1, 3, {224, 20, 20}}));
  error_of(ErrorKind::usage, [] { over_background(Image{}, kRed); });
}

TEST(ToChannels, FromAnyToAny) {
  const Image rgba{1, 1, 4, {200, 100, 50, 51}}, gray_alpha{1, 1, 2, {100, 51}};
  EXPECT_EQ(to_channels(rgba, 4, kRed), rgba);
  EXPECT_EQ(to_channels(rgba, 3, kBlack), (Image{1, 1, 3, {40, 20, 10}}));
  EXPECT_EQ(to_channels(rgba, 1, kBlack), gray_pixels(1, 1, {25}));  // 0.299 * 40 + 0.587 * 20 + 0.114 * 10
  EXPECT_EQ(to_channels(gray_alpha, 1, kBlack), gray_pixels(1, 1, {20}));
  EXPECT_EQ(to_channels(gray_alpha, 1, kRed), gray_pixels(1, 1, {81}));  // luma of (224, 20, 20)
  EXPECT_EQ(to_channels(gray_alpha, 3, kBlack), (Image{1, 1, 3, {20, 20, 20}}));
  EXPECT_EQ(to_channels(gray_alpha, 4, kRed), (Image{1, 1, 4, {100, 100, 100, 51}}));
  EXPECT_EQ(to_channels(gray_pixels(1, 1, {7}), 3, kRed), (Image{1, 1, 3, {7, 7, 7}}));
  EXPECT_EQ(to_channels(gray_pixels(1, 1, {7}), 4, kRed), (Image{1, 1, 4, {7, 7, 7, 255}}));
  EXPECT_EQ(to_channels(Image{1, 1, 3, {1, 2, 3}}, 4, kRed), (Image{1, 1, 4, {1, 2, 3, 255}}));
  for (const int channels : {-1, 0, 2, 5})
    error_of(ErrorKind::usage, [&] { to_channels(rgba, channels, kRed); });
}

TEST(ToChannels, LumaIsWhatPillowComputes) {
  EXPECT_EQ(to_channels(scratch::synthetic_picture(16, 16, 3), 1, kRed).pixels,
            scratch::golden_pixels(scratch::pillow_golden("luma")));
}

}  // namespace
}  // namespace diffusion
