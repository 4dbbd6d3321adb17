#include "pictures/palette.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace diffusion {
namespace {

Image row_of(const std::vector<Rgb>& colors) {
  Image image{int(colors.size()), 1, 3, {}};
  for (const Rgb& color : colors) image.pixels.insert(image.pixels.end(), color.begin(), color.end());
  return image;
}

TEST(MedianCutPalette, FewColorsAreKeptExactly) {
  std::vector<Rgb> colors;
  for (int i = 0; i < 256; ++i)
    colors.push_back({std::uint8_t(i), std::uint8_t(i / 2), std::uint8_t(255 - i)});
  std::vector<Rgb> repeated = colors;
  repeated.insert(repeated.end(), 1000, colors[17]);
  const Image images[] = {row_of(repeated), row_of({colors[3]})};
  std::vector<Rgb> palette = median_cut_palette(images, 256);
  std::ranges::sort(palette);
  EXPECT_EQ(palette, colors);
}

TEST(MedianCutPalette, SplitsWherePixelsAndDistancesAre) {
  // Two clusters far apart: their means are the two colors.
  const Image image = row_of({{10, 0, 0}, {12, 0, 0}, {14, 0, 0}, {200, 0, 0}, {204, 0, 0}, {202, 0, 0}});
  std::vector<Rgb> palette = median_cut_palette(std::span(&image, 1), 2);
  std::ranges::sort(palette);
  EXPECT_EQ(palette, (std::vector<Rgb>{{12, 0, 0}, {202, 0, 0}}));
  EXPECT_EQ(median_cut_palette(std::span(&image, 1), 1).size(), 1u);
}

TEST(PaletteMapper, ExactColorsMapToThemselves) {
  const std::vector<Rgb> palette = {{0, 0, 0}, {1, 0, 0}, {255, 255, 255}, {0, 0, 1}};
  const std::vector<std::uint8_t> indices = {3, 1, 0, 2, 2, 1, 3, 0};
  std::vector<Rgb> colors;
  for (const auto index : indices) colors.push_back(palette[index]);
  EXPECT_EQ(PaletteMapper(palette).dither(row_of(colors)), indices);
}

TEST(PaletteMapper, DitheringKeepsTheMean) {
  Image image{64, 64, 3, std::vector<std::uint8_t>(64 * 64 * 3, 100)};
  const auto indices = PaletteMapper({{0, 0, 0}, {255, 255, 255}}).dither(image);
  double mean = 0;
  for (const auto index : indices) mean += index * 255.0 / double(indices.size());
  EXPECT_NEAR(mean, 100, 2);
}

}  // namespace
}  // namespace diffusion
