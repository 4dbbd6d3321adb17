#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
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

// Reads PNG (every bit depth and color type; 16 bits are rounded to 8), JPEG (gray, color, and CMYK, which
// becomes RGB) or TIFF (see pictures/tiff.h), told apart by content. The picture is turned as its EXIF
// orientation says; gamma and color profiles are ignored. Error(bad_input) naming the file for another
// format, for anything corrupt or cut off, and for more than kMaxPixels, found before memory is taken.
Image read_image(const std::filesystem::path& path);

// The same for a file that is in memory, say a member of an archive; `source_name` is for messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& source_name);

// Error(usage) if the sizes in `image` contradict each other.
std::vector<std::byte> encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);  // atomic

// Baseline JPEG, colors at half resolution. Error(usage) for alpha, which JPEG does not have (see
// to_channels() in pictures/resize.h), for sides over 65,500 pixels, and for a quality outside 1 (smallest)
// to 100.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);
void write_jpeg(const std::filesystem::path& path, const Image& image, int quality);  // atomic

// Tiles in reading order, `columns` in a row (fewer if there are fewer images), `gap` pixels of `background`
// between them and in unused places. All images must have one size and channel count: Error(usage) otherwise,
// as for none.
Image make_grid(std::span<const Image> images, int columns, int gap, std::uint8_t background);

// Throws Error(usage) unless sizes are positive, channels 1 to 4, and `pixels` of the right size.
void check_image(const Image& image);

// For decoders: throws Error(bad_input) if a picture of that size has more than kMaxPixels.
void check_pixel_count(std::int64_t width, std::int64_t height, const std::string& source_name);

}  // namespace diffusion
