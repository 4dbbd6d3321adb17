#include <diffusion/image.h>

#include <gtest/gtest.h>

#include <diffusion/picture_files.h>
#include "pictures/image_checks.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

Image filled(int width, int height, int channels, std::uint8_t value) {
  return {width, height, channels, std::vector<std::uint8_t>(std::size_t(width * height * channels), value)};
}

TEST(CheckImage, FindsContradictions) {
  EXPECT_NO_THROW(check_image(filled(2, 3, 4, 0)));
  const Image bad[] = {{},
                       {0, 1, 1, {}},
                       {1, 0, 1, {}},
                       {-1, -1, 1, {0}},
                       {1, 1, 0, {}},
                       {1, 1, 5, {0, 0, 0, 0, 0}},
                       {2, 1, 1, {0}},
                       {1, 1, 1, {0, 0}},
                       {1 << 30, 1 << 30, 4, {}},
                       {1 << 30, 4, 4, {0}}};
  for (const Image& image : bad) {
    error_of(ErrorKind::usage, [&] { check_image(image); });
    error_of(ErrorKind::usage, [&] { encode_png(image); });
  }
}

TEST(MakeGrid, PutsTilesInReadingOrder) {
  const std::vector<Image> images = {{2, 1, 1, {1, 2}}, {2, 1, 1, {3, 4}}, {2, 1, 1, {5, 6}}};
  const Image grid = make_grid(images, 2, 1, 9);
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.height, 3);
  EXPECT_EQ(grid.pixels, (std::vector<std::uint8_t>{1, 2, 9, 3, 4,  //
                                                    9, 9, 9, 9, 9,  //
                                                    5, 6, 9, 9, 9}));
}

TEST(MakeGrid, KeepsChannelsTogetherAndShrinksToFewImages) {
  const std::vector<Image> images = {{1, 2, 3, {1, 2, 3, 4, 5, 6}}, {1, 2, 3, {7, 8, 9, 10, 11, 12}}};
  const Image grid = make_grid(images, 8, 0, 255);
  EXPECT_EQ(grid.width, 2);
  EXPECT_EQ(grid.height, 2);
  EXPECT_EQ(grid.channels, 3);
  EXPECT_EQ(grid.pixels, (std::vector<std::uint8_t>{1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12}));
  EXPECT_EQ(make_grid(images, 1, 0, 0).height, 4);
}

TEST(MakeGrid, RefusesWhatDoesNotFit) {
  const std::vector<Image> one = {filled(2, 2, 1, 0)};
  error_of(ErrorKind::usage, [&] { make_grid({}, 1, 0, 0); });
  error_of(ErrorKind::usage, [&] { make_grid(one, 0, 0, 0); });
  error_of(ErrorKind::usage, [&] { make_grid(one, 1, -1, 0); });
  for (const Image& other : {filled(3, 2, 1, 0), filled(2, 3, 1, 0), filled(2, 2, 3, 0), Image{}}) {
    const std::vector<Image> two = {one[0], other};
    error_of(ErrorKind::usage, [&] { make_grid(two, 2, 0, 0); });
  }
  const std::vector<Image> four(4, one[0]);
  error_of(ErrorKind::usage, [&] { make_grid(four, 2, 2'000'000'000, 0); });
}

}  // namespace
}  // namespace diffusion
