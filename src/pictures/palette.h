#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <diffusion/image.h>

namespace diffusion {

using Rgb = std::array<std::uint8_t, 3>;

// At most `max_colors` colors (1 to 256) for all pixels of the RGB images: the colors themselves if there are
// no more, otherwise by median cut (Heckbert 1982, "Color image quantization for frame buffer display").
std::vector<Rgb> median_cut_palette(std::span<const Image> images, std::size_t max_colors);

// Draws RGB images with the colors of one palette.
class PaletteMapper {
 public:
  explicit PaletteMapper(std::vector<Rgb> palette);  // 1 to 256 colors

  // One palette index per pixel; the error goes on to the neighbors (Floyd and Steinberg 1976).
  std::vector<std::uint8_t> dither(const Image& image);

 private:
  std::uint8_t nearest(const Rgb& color);

  std::vector<Rgb> palette_;
  std::vector<std::int16_t> known_;  // per 24-bit color: the nearest entry, or -1 if not yet asked for
};

}  // namespace diffusion
