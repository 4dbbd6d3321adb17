#pragma once

#include <array>
#include <cstdint>

#include <diffusion/image.h>

namespace diffusion {

// Changes of size, form and channels of pictures. Arguments that make no picture (sizes below 1, more than
// kMaxPixels, data that contradict the size) are Error(usage).

// Bilinear with antialiasing, as Pillow's Image.resize(..., BILINEAR), so that data sets made with Python are
// the same: a triangle filter as wide as two pixels of the result (of the original where the picture grows),
// along rows, then along columns, each rounded to 8 bits. The same bytes, except that Pillow 13 begins with
// the columns where more rows go away than twice the columns, and so rounds some values to their neighbors.
// Where there is alpha, colors count in proportion to it, as they do in Pillow: otherwise the invisible color
// of transparent pixels, often black, would show as a fringe. Error(usage) also for shrinking a side more
// than 65,536 times, for which the weights are too coarse.
Image resize(const Image& image, int width, int height);

// The shorter side becomes `size`, the longer keeps the aspect, rounded down as torchvision and MindSpore do.
Image resize_shorter_side(const Image& image, int size);

// Keeps the aspect; the height is rounded down, but at least 1. 640 x 480 at width 160 is 160 x 120.
Image resize_to_width(const Image& image, int width);

// The part of height x width pixels whose upper left pixel is (left, top); all of it must be there.
Image crop(const Image& image, int left, int top, int height, int width);

// The middle. If what is cut off is odd, one pixel more goes at the right or bottom. Error(usage) if the
// image is smaller.
Image center_crop(const Image& image, int height, int width);

// resize_shorter_side(), and the middle size x size of that.
Image center_square(const Image& image, int size);

// Each pixel `scale` x `scale` times: for showing small pictures.
Image enlarge(const Image& image, int scale);

// Composited on one color, hence without alpha; what has none stays as it is. Gray with alpha becomes RGB if
// the background is not gray.
Image over_background(const Image& image, const std::array<std::uint8_t, 3>& background);
Image on_white(const Image& image);

// With 1 (gray), 3 (RGB) or 4 (RGB + alpha) channels: Error(usage) for another number. Alpha that has no
// place is composited on the background; alpha that is missing is opaque. Gray is ITU-R 601 luma, (19595 R +
// 38470 G + 7471 B) / 65536 rounded, as Pillow's convert("L").
Image to_channels(const Image& image, int channels, const std::array<std::uint8_t, 3>& background);

}  // namespace diffusion
