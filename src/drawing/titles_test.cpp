#include "drawing/titles.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "drawing/drawing.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

Image picture(int width, int height, int channels, std::uint8_t first) {
  Image image{width, height, channels, {}};
  for (int i = 0; i < width * height * channels; ++i) image.pixels.push_back(std::uint8_t(first + i));
  return image;
}

Image part(const Image& image, int left, int top, int width, int height) {
  Image result{width, height, image.channels, {}};
  for (int y = top; y < top + height; ++y)
    for (int i = left * image.channels; i < (left + width) * image.channels; ++i)
      result.pixels.push_back(image.pixels[std::size_t(y * image.width * image.channels + i)]);
  return result;
}

bool has_ink(const Image& image) {
  return std::ranges::any_of(image.pixels, [](std::uint8_t p) { return p < 128; });
}

bool font_here() {
  return has_ink(render({40, 40, {Text{{5, 30}, "X", 20}}}));
}

TEST(Titles, StandAbovePicturesThatStayAsTheyAre) {
  for (const int channels : {1, 3}) {
    const std::vector<Image> pictures{picture(100, 60, channels, 0), picture(100, 60, channels, 9)};
    const std::vector<Image> titled = with_titles(pictures, std::vector<std::string>{"t = 0", ""});
    ASSERT_EQ(titled.size(), 2u);
    for (int k = 0; k < 2; ++k) {
      const Image& result = titled[std::size_t(k)];
      EXPECT_EQ(result.width, 100);
      EXPECT_EQ(result.channels, channels);
      ASSERT_EQ(result.height, titled[0].height);
      ASSERT_GT(result.height, 60 + 10);
      EXPECT_EQ(part(result, 0, result.height - 60, 100, 60), pictures[std::size_t(k)]);
      EXPECT_EQ(has_ink(part(result, 0, 0, 100, result.height - 60)), k == 0 && font_here());
    }
  }
}

TEST(Titles, WidenPicturesThatAreNarrower) {
  const std::vector<Image> pictures(2, Image{8, 8, 1, std::vector<std::uint8_t>(64, 0)});
  const std::string wide = "a title of some length";
  const std::vector<Image> titled = with_titles(pictures, std::vector<std::string>{wide, "b"});
  const int width = titled[0].width, top = titled[0].height - 8;
  EXPECT_GE(width, text_width(wide, 12));
  EXPECT_EQ(titled[1].width, width);
  EXPECT_EQ(part(titled[1], (width - 8) / 2, top, 8, 8), pictures[1]);
  EXPECT_EQ(part(titled[1], 0, top, (width - 8) / 2, 8).pixels,
            std::vector<std::uint8_t>(std::size_t((width - 8) / 2 * 8), 255));
}

TEST(PictureCaptions, StandBelowPicturesThatStayAsTheyAre) {
  for (const int channels : {1, 3}) {
    const std::vector<Image> pictures{picture(120, 60, channels, 0), picture(120, 60, channels, 9),
                                      picture(120, 60, channels, 5)};
    const std::vector<std::string> words{
        "woman and man holding hands: medium-light skin tone, medium-dark skin tone and more words", "",
        "ox"};
    const std::vector<Image> results = with_captions(pictures, words, 2);
    ASSERT_EQ(results.size(), 3u);
    const int below = results[0].height - 60;
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(results[k].width, 120);
      EXPECT_EQ(results[k].height, 60 + below);
      EXPECT_EQ(part(results[k], 0, 0, 120, 60), pictures[k]);
    }
    const auto line_has_ink = [&](std::size_t k, int line) {
      return has_ink(part(results[k], 0, 60 + line * below / 2, 120, below / 2));
    };
    EXPECT_FALSE(line_has_ink(1, 0));
    EXPECT_FALSE(line_has_ink(2, 1));
    if (!font_here()) continue;
    EXPECT_TRUE(line_has_ink(0, 0));
    EXPECT_TRUE(line_has_ink(0, 1));
    EXPECT_TRUE(line_has_ink(2, 0));
    // What is left out is marked; a word that is too long is broken.
    const auto same = [&](const std::string& a, const std::string& b) {
      return with_captions(std::vector{pictures[0]}, std::vector{a}, 1) ==
             with_captions(std::vector{pictures[0]}, std::vector{b}, 1);
    };
    EXPECT_TRUE(same("  ox\n\tand  cow ", "ox and cow"));
    EXPECT_FALSE(same("ox and cow", "ox"));
    EXPECT_TRUE(same(std::string(300, 'm'), std::string(200, 'm')));
    EXPECT_FALSE(same(std::string(300, 'm'), std::string(4, 'm')));
  }
}

TEST(PictureCaptions, WidenNarrowPictures) {
  const std::vector<Image> results =
      with_captions(std::vector{picture(10, 8, 3, 0)}, std::vector<std::string>{"\xff broken"}, 3);
  EXPECT_GE(results[0].width, 90);
  EXPECT_EQ(part(results[0], (results[0].width - 10) / 2, 0, 10, 8), picture(10, 8, 3, 0));
  error_of(ErrorKind::usage,
           [] { with_captions(std::vector{picture(10, 8, 3, 0)}, std::vector<std::string>{"a"}, 0); });
  error_of(ErrorKind::usage, [] { with_captions(std::vector{picture(10, 8, 3, 0)}, {}, 1); });
}

TEST(Titles, OfRowsStandAtTheLeft) {
  const std::vector<Image> rows{picture(80, 40, 3, 0), picture(80, 40, 3, 5), picture(80, 40, 3, 10)};
  const Image all = with_row_titles(rows, std::vector<std::string>{"linear", "cosine", ""}, 6);
  EXPECT_EQ(all.height, 3 * 40 + 2 * 6);
  const int margin = all.width - 80;
  EXPECT_GE(margin, text_width("linear", 12));
  for (int k = 0; k < 3; ++k) {
    EXPECT_EQ(part(all, margin, k * 46, 80, 40), rows[std::size_t(k)]);
    EXPECT_EQ(has_ink(part(all, 0, k * 46, margin, 40)), k < 2 && font_here());
  }
  EXPECT_FALSE(has_ink(part(all, margin, 40, 80, 6))) << "the gap";
}

TEST(Titles, OfLowRowsAreNotCut) {
  const std::vector<Image> rows(2, picture(20, 3, 1, 0));
  const Image all = with_row_titles(rows, std::vector<std::string>{"a", "b"}, 1);
  EXPECT_GE(all.height, 2 * 12 + 1);
}

TEST(Titles, RefuseWhatDoesNotFit) {
  const std::vector<Image> none, two{picture(4, 4, 1, 0), picture(4, 4, 1, 0)},
      unequal{picture(4, 4, 1, 0), picture(4, 5, 1, 0)}, alpha{picture(4, 4, 2, 0), picture(4, 4, 2, 0)},
      broken{Image{4, 4, 1, {}}, Image{4, 4, 1, {}}};
  const std::vector<std::string> no_words, words{"a", "b"}, word{"a"};
  for (const auto& [pictures, titles] :
       {std::pair{none, no_words}, {two, word}, {unequal, words}, {alpha, words}, {broken, words}}) {
    error_of(ErrorKind::usage, [&] { with_titles(pictures, titles); });
    error_of(ErrorKind::usage, [&] { with_row_titles(pictures, titles, 1); });
  }
  error_of(ErrorKind::usage, [&] { with_row_titles(two, words, -1); });
  error_of(ErrorKind::usage, [&] {
    with_titles(two, std::vector<std::string>{"a", std::string(100'000, 'm')});
  });
}

}  // namespace
}  // namespace diffusion
