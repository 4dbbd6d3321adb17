#include "drawing/drawing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <diffusion/picture_files.h>
#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Pixel = std::array<int, 3>;

Pixel pixel(const Image& image, int x, int y) {
  const std::uint8_t* p = &image.pixels[3 * std::size_t(y * image.width + x)];
  return {p[0], p[1], p[2]};
}

std::size_t dark_pixels(const Image& image) {
  std::size_t count = 0;
  for (std::size_t p = 0; p < image.pixels.size(); p += 3) count += image.pixels[p] < 128;
  return count;
}

Drawing words(const std::string& text, Anchor anchor = Anchor::left, bool upward = false) {
  return {101, 101, {Text{{50, 50}, text, 14, anchor, upward}}};
}

// The columns or rows that have ink: first and last.
std::pair<int, int> extent(const Image& image, bool columns) {
  std::pair<int, int> found{1000, -1};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      if (pixel(image, x, y)[0] < 200) {
        found.first = std::min(found.first, columns ? x : y);
        found.second = std::max(found.second, columns ? x : y);
      }
  return found;
}

TEST(Drawing, PaintsLinesInOrderOnWhite) {
  const Color red{255, 0, 0}, blue{0, 0, 255};
  const Image image =
      render({40, 30, {Polyline{{{-5, 15}, {45, 15}}, red, 6}, Polyline{{{20, -5}, {20, 35}}, blue, 6}}});
  EXPECT_EQ(image.width, 40);
  EXPECT_EQ(image.height, 30);
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(pixel(image, 5, 5), (Pixel{255, 255, 255}));
  EXPECT_EQ(pixel(image, 5, 15), (Pixel{255, 0, 0}));
  EXPECT_EQ(pixel(image, 20, 5), (Pixel{0, 0, 255}));
  EXPECT_EQ(pixel(image, 20, 15), (Pixel{0, 0, 255})) << "the later line covers the earlier one";
}

TEST(Drawing, OnePointIsADotAndNoneIsNothing) {
  const Image dot = render({20, 20, {Polyline{{{10, 10}}, {}, 6}}});
  EXPECT_EQ(pixel(dot, 10, 10), (Pixel{0, 0, 0}));
  EXPECT_EQ(pixel(dot, 3, 10), (Pixel{255, 255, 255}));
  EXPECT_EQ(dark_pixels(render({20, 20, {Polyline{{}, {}, 6}}})), 0u);
}

TEST(Drawing, TextIsWhereItsAnchorIs) {
  const Image left = render(words("mmm")), right = render(words("mmm", Anchor::right)),
              center = render(words("mmm", Anchor::center)),
              upward = render(words("mmm", Anchor::center, true));
  if (dark_pixels(left) == 0) GTEST_SKIP() << "no font on this machine";
  const double width = text_width("mmm", 14);
  EXPECT_NEAR(extent(left, true).first, 50, 3);
  EXPECT_NEAR(extent(left, true).second, 50 + width, 3);
  EXPECT_NEAR(extent(right, true).first, 50 - width, 3);
  EXPECT_NEAR(extent(right, true).second, 50, 3);
  EXPECT_NEAR(extent(center, true).first, 50 - width / 2, 3);
  EXPECT_EQ(extent(center, false).second, 49) << "the baseline";
  EXPECT_NEAR(extent(upward, false).first, 50 - width / 2, 3);
  EXPECT_EQ(extent(upward, true).second, 49);
  EXPECT_NEAR(text_width("mmm", 28), 2 * width, 1e-3);
}

TEST(Drawing, BytesThatAreNoTextDoNotStopTheRest) {
  Drawing drawing = words(std::string("\xff\xc3(\x80\0", 5));
  drawing.shapes.emplace_back(Polyline{{{0, 80}, {100, 80}}, {}, 4});
  const Image image = render(drawing);
  EXPECT_EQ(pixel(image, 50, 80), (Pixel{0, 0, 0})) << "cairo stops at text that is not UTF-8";
  EXPECT_NO_THROW(to_svg(drawing));
  EXPECT_GT(text_width("\xff", 12), 0);
}

TEST(Drawing, SvgHasTheSizeInPixelsAndNeedsNoFont) {
  const std::string svg = to_svg(words("hello"));
  EXPECT_TRUE(svg.starts_with("<?xml"));
  EXPECT_NE(svg.find("width=\"101px\" height=\"101px\""), std::string::npos) << svg.substr(0, 300);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_EQ(svg.find("<text"), std::string::npos);
  EXPECT_EQ(to_svg(words("hello")), svg) << "the same drawing, the same bytes";
}

TEST(Drawing, ExtensionDecidesTheForm) {
  const scratch::Folder folder;
  write_drawing(folder / "a.PNG", words("x"));
  write_drawing(folder / "a.svg", words("x"));
  EXPECT_EQ(read_image(folder / "a.PNG"), render(words("x")));
  EXPECT_EQ(read_text_file(folder / "a.svg", 1 << 20), to_svg(words("x")));
  for (const char* name : {"a.pdf", "a", "svg", ".svg"}) {
    EXPECT_NE(error_of(ErrorKind::usage, [&] { check_drawing_path(folder / name); }).find(".svg and .png"),
              std::string::npos);
    EXPECT_NE(error_of(ErrorKind::usage, [&] { write_drawing(folder / name, words("x")); }).find(name),
              std::string::npos);
  }
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"a.PNG", "a.svg"}));
}

TEST(Drawing, RefusesImpossibleSizesAndNumbers) {
  for (const auto& [width, height] : {std::pair{0, 5}, {5, 0}, {-1, 5}, {32'768, 1}, {20'000, 20'000}})
    for (const auto action : {+[](const Drawing& d) { render(d); }, +[](const Drawing& d) { to_svg(d); }})
      EXPECT_NE(error_of(ErrorKind::usage,
                         [&] {
                           action({width, height, {}});
                         })
                    .find("32767"),
                std::string::npos);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), infinity, -infinity, 1e7}) {
    error_of(ErrorKind::usage, [&] { render({9, 9, {Polyline{{{0, bad}}, {}, 1}}}); });
    error_of(ErrorKind::usage, [&] { render({9, 9, {Polyline{{{0, 0}}, {}, bad}}}); });
    error_of(ErrorKind::usage, [&] { render({9, 9, {Text{{bad, 0}, "x"}}}); });
    error_of(ErrorKind::usage, [&] { to_svg({9, 9, {Text{{0, 0}, "x", bad}}}); });
    error_of(ErrorKind::usage, [&] { text_width("x", bad); });
  }
}

}  // namespace
}  // namespace diffusion
