#pragma once

// Pictures as pixels, and the way between them and the numbers that networks compute with.

#include <cstdint>
#include <span>
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

// pixel / 255: [C, H, W] in [0, 1].
std::vector<float> to_tensor(const Image& image);

// 2 t - 1, [0, 1] to [-1, 1].
std::vector<float> scale_to_signed(std::vector<float> tensor);

// The way back: x [C, H, W], [-1, 1] to pixels, rounded, and clamped to [0, 255] because x of a noisy picture
// goes beyond. Any number of channels. Error(usage) if x has another size, Error(non_finite) for NaN.
Image to_image(std::span<const double> x, int channels, int height, int width);
Image to_image(std::span<const float> x, int channels, int height, int width);

}  // namespace diffusion
