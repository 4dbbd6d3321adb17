#include "data/image_form.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>

namespace diffusion {
namespace {

Image one_colored(int width, int height, std::vector<std::uint8_t> color) {
  Image image{width, height, int(color.size()), {}};
  for (int p = 0; p < width * height; ++p)
    image.pixels.insert(image.pixels.end(), color.begin(), color.end());
  return image;
}

TEST(ImageForm, FitsEveryShapeIntoEveryOther) {
  for (const auto& [width, height] :
       std::vector<std::array<int, 2>>{{1, 1}, {7, 300}, {300, 7}, {64, 48}, {5, 5}})
    for (const auto& [to_height, to_width] :
         std::vector<std::array<int, 2>>{{1, 1}, {8, 8}, {48, 64}, {3, 9}, {31, 17}}) {
      const Image image = fit_image(one_colored(width, height, {10, 20, 30}), {to_height, to_width, 3});
      EXPECT_EQ(image, one_colored(to_width, to_height, {10, 20, 30}))
          << width << " " << height << " " << to_width;
    }
}

// Columns 0 to 8 of three pixels height: scaled to a height of 3, the middle three columns stay.
TEST(ImageForm, TakesTheMiddle) {
  Image image{9, 3, 1, {}};
  for (int p = 0; p < 27; ++p) image.pixels.push_back(std::uint8_t(p % 9));
  EXPECT_EQ(fit_image(image, {3, 3, 1}).pixels, (std::vector<std::uint8_t>{3, 4, 5, 3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(fit_image(image, {1, 9, 1}).pixels, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(ImageForm, ChannelsAndBackground) {
  const Image clear = one_colored(2, 2, {9, 9, 9, 0}), gray = one_colored(2, 2, {100});
  EXPECT_EQ(fit_image(clear, {2, 2, 3}), one_colored(2, 2, {255, 255, 255}));
  EXPECT_EQ(fit_image(clear, {2, 2, 3, {1, 2, 3}}), one_colored(2, 2, {1, 2, 3}));
  EXPECT_EQ(fit_image(clear, {2, 2, 1, {0, 0, 0}}), one_colored(2, 2, {0}));
  EXPECT_EQ(fit_image(clear, {2, 2, 4}).pixels[3], 0);
  EXPECT_EQ(fit_image(gray, {2, 2, 3}), one_colored(2, 2, {100, 100, 100}));
  EXPECT_EQ(fit_image(gray, {2, 2, 4}), one_colored(2, 2, {100, 100, 100, 255}));
}

TEST(ImageForm, RefusesWhatWouldBeTooLong) {
  EXPECT_THROW(fit_image(one_colored(1, 100'000, {0}), {8192, 8192, 1}), Error);
}

TEST(ImageForm, Validation) {
  EXPECT_NO_THROW(validate({.size = {{1, 8192}}, .channels = 4}));
  for (const auto& [height, width] : std::vector<std::array<int, 2>>{{0, 1}, {1, -1}, {8193, 1}})
    EXPECT_THROW(validate({.size = {{height, width}}}), Error);
  for (const int channels : {0, 2, 5}) EXPECT_THROW(validate({.channels = channels}), Error);
}

TEST(ImageForm, ReformKeepsWhatFitsAndChangesWhatDoesNot) {
  const Dataset dataset{"set", 1, 2, 1, std::vector<std::uint8_t>{10, 20, 30, 40, 50, 60}, {5, 6, 7}, {}};
  for (const FormOptions& same : {FormOptions{}, FormOptions{.size = {{1, 2}}, .channels = 1}})
    EXPECT_EQ(reform(dataset, same).pixels.bytes().data(), dataset.pixels.bytes().data());
  const Dataset color = reform(take_shard(dataset, 2, 0), {.channels = 3});
  ASSERT_EQ(color.count(), 2);
  EXPECT_EQ(color.labels, (std::vector<std::uint16_t>{5, 7}));
  EXPECT_EQ(color.image(1)[0], 50);
  EXPECT_EQ(color.image(1)[5], 60);
  const Dataset wide = reform(dataset, {.size = {{2, 4}}, .random_crop = true});
  EXPECT_EQ(wide.height, 3);
  EXPECT_EQ(wide.width, 5);
  EXPECT_EQ(wide.example_height(), 2);
  EXPECT_EQ(wide.example_width(), 4);
}

}  // namespace
}  // namespace diffusion
