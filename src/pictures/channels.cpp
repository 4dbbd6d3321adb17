#include <fmt/format.h>

#include <diffusion/error.h>
#include "pictures/image_checks.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

using Color = std::array<std::uint8_t, 3>;

// Channels without alpha first; then alpha, if `alpha`; opaque where the image has none.
Image expand(const Image& image, bool alpha) {
  const std::size_t channels = std::size_t(image.channels);
  const bool is_gray = channels <= 2, has_alpha = channels == 2 || channels == 4;
  Image out{image.width, image.height, alpha ? 4 : 3, {}};
  out.pixels.reserve(image.pixels.size() / channels * std::size_t(out.channels));
  for (std::size_t p = 0; p < image.pixels.size(); p += channels) {
    for (std::size_t c = 0; c < 3; ++c) out.pixels.push_back(image.pixels[p + (is_gray ? 0 : c)]);
    if (alpha) out.pixels.push_back(has_alpha ? image.pixels[p + channels - 1] : 255);
  }
  return out;
}

Image luma(const Image& image) {
  Image out{image.width, image.height, 1, {}};
  out.pixels.reserve(image.pixels.size() / 3);
  for (std::size_t p = 0; p < image.pixels.size(); p += 3)
    out.pixels.push_back(std::uint8_t(
        (image.pixels[p] * 19595 + image.pixels[p + 1] * 38470 + image.pixels[p + 2] * 7471 + 0x8000) >> 16));
  return out;
}

}  // namespace

Image over_background(const Image& image, const Color& background) {
  check_image(image);
  if (image.channels == 1 || image.channels == 3) return image;
  const bool is_gray = background[0] == background[1] && background[1] == background[2];
  if (image.channels == 2 && !is_gray) return over_background(expand(image, true), background);
  const std::size_t colors = std::size_t(image.channels) - 1;
  Image out{image.width, image.height, int(colors), {}};
  out.pixels.reserve(image.pixels.size() / (colors + 1) * colors);
  for (std::size_t p = 0; p < image.pixels.size(); p += colors + 1) {
    const int alpha = image.pixels[p + colors];
    for (std::size_t c = 0; c < colors; ++c)
      out.pixels.push_back(
          std::uint8_t((image.pixels[p + c] * alpha + background[c] * (255 - alpha) + 127) / 255));
  }
  return out;
}

Image on_white(const Image& image) {
  return over_background(image, {255, 255, 255});
}

Image to_channels(const Image& image, int channels, const Color& background) {
  check_image(image);
  if (channels != 1 && channels != 3 && channels != 4)
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "A picture with {} channels cannot be made; accepted are 1 (gray), 3 (RGB) and 4 (RGB and "
            "alpha).",
            channels));
  if (channels == image.channels) return image;
  if (channels == 4) return expand(image, true);
  const Image opaque = over_background(image, background);
  if (channels == opaque.channels) return opaque;
  return channels == 3 ? expand(opaque, false) : luma(opaque);
}

}  // namespace diffusion
