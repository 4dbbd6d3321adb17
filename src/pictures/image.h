#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace diffusion {

// 8-bit pixels, [height, width, channels]. Channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGB + alpha. Alpha is
// not multiplied into the color.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<std::uint8_t> pixels;

  bool operator==(const Image&) const = default;
};

// The largest image that is read or made: the limit of the Pillow library, so that what a data set holds is
// the same.
inline constexpr std::int64_t kMaxPixels = 178'956'970;

// Tiles in reading order, `columns` in a row (fewer if there are fewer images), `gap` pixels of `background`
// between them and in unused places. All images must have one size and channel count: Error(usage) otherwise,
// as for none.
Image make_grid(std::span<const Image> images, int columns, int gap, std::uint8_t background);

// Throws Error(usage) unless sizes are positive, channels 1 to 4, and `pixels` of the right size.
void check_image(const Image& image);

// For decoders: throws Error(bad_input) if a picture of that size has more than kMaxPixels.
void check_pixel_count(std::int64_t width, std::int64_t height, const std::string& source_name);

}  // namespace diffusion
