#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace diffusion {

// 8-bit pixels, [height, width, channels]. Channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGB + alpha.
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

// Reads PNG (every bit depth and color type; 16 bits are rounded to 8) or JPEG (gray or color), told apart by
// content. Gamma, color profiles and EXIF rotation are ignored. Error(bad_input) naming the file for another
// format, for anything corrupt or cut off, and for more than kMaxPixels, found before memory is taken.
Image read_image(const std::filesystem::path& path);

// Error(usage) if the sizes in `image` contradict each other.
std::vector<std::byte> encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);  // atomic

// Tiles in reading order, `columns` in a row (fewer if there are fewer images), `gap` pixels of `background`
// between them and in unused places. All images must have one size and channel count: Error(usage) otherwise,
// as for none.
Image make_grid(std::span<const Image> images, int columns, int gap, std::uint8_t background);

// Throws Error(usage) unless sizes are positive, channels 1 to 4, and `pixels` of the right size.
void check_image(const Image& image);

}  // namespace diffusion
