#include <diffusion/image.h>

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

TEST(ToTensor, PutsChannelsFirst) {
  const std::vector<float> tensor = to_tensor(Image{2, 1, 3, {0, 51, 102, 153, 204, 255}});
  EXPECT_EQ(tensor, (std::vector<float>{0.f, 0.6f, 0.2f, 0.8f, 0.4f, 1.f}));
  error_of(ErrorKind::usage, [] { to_tensor(Image{2, 1, 3, {0}}); });
}

TEST(ScaleToSigned, MapsTheUnitInterval) {
  EXPECT_EQ(scale_to_signed({0.f, 0.25f, 0.5f, 1.f}), (std::vector<float>{-1.f, -0.5f, 0.f, 1.f}));
  EXPECT_TRUE(scale_to_signed({}).empty());
}

TEST(ToImage, UndoesToTensorForEveryValue) {
  Image image{16, 16, 1, std::vector<std::uint8_t>(256)};
  std::iota(image.pixels.begin(), image.pixels.end(), std::uint8_t(0));
  EXPECT_EQ(to_image(scale_to_signed(to_tensor(image)), 1, 16, 16), image);
  const Image rgba = scratch::synthetic_picture(5, 3, 4);
  EXPECT_EQ(to_image(scale_to_signed(to_tensor(rgba)), 4, 3, 5), rgba);
}

TEST(ToImage, RoundsAndClamps) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> x{-infinity, -1.001, -0.997, -0.995, 0.997, 1.5, infinity};
  EXPECT_EQ(to_image(x, 1, 1, 7).pixels, (std::vector<std::uint8_t>{0, 0, 0, 1, 255, 255, 255}));
}

TEST(ToImage, RefusesNanAndWrongSizes) {
  std::vector<float> x(12);
  x[10] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_of(ErrorKind::non_finite, [&] { to_image(x, 2, 2, 3); }),
            "Pixel (1, 1) of a picture is NaN in channel 1.");
  error_of(ErrorKind::usage, [&] { to_image(x, 3, 2, 3); });
  error_of(ErrorKind::usage, [&] { to_image(x, 0, 2, 3); });
  error_of(ErrorKind::usage, [&] { to_image(x, 1, 0, 0); });
  error_of(ErrorKind::usage, [&] { to_image(std::span(x).first(0), 0, 0, 0); });
  error_of(ErrorKind::usage, [&] { to_image(x, 1, 1 << 30, 1 << 30); });
}

}  // namespace
}  // namespace diffusion
