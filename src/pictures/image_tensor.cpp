#include <diffusion/image.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

template <class T>
Image convert(std::span<const T> x, int channels, int height, int width) {
  const bool sizes_fit = channels >= 1 && height >= 1 && width >= 1 && width <= kMaxPixels / height;
  const std::size_t pixels = sizes_fit ? std::size_t(height) * std::size_t(width) : 0;
  const std::size_t planes = sizes_fit ? std::size_t(channels) : 0;
  if (!sizes_fit || x.size() % pixels != 0 || x.size() / pixels != planes)
    throw Error(ErrorKind::usage,
                fmt::format("{} values are not a picture of {} channels and {} x {} pixels.", x.size(),
                            channels, width, height));
  Image image{width, height, channels, std::vector<std::uint8_t>(x.size())};
  for (std::size_t c = 0; c < planes; ++c)
    for (std::size_t p = 0; p < pixels; ++p) {
      const double value = double(x[c * pixels + p]);
      if (std::isnan(value))
        throw Error(ErrorKind::non_finite, fmt::format("Pixel ({}, {}) of a picture is NaN in channel {}.",
                                                       p % std::size_t(width), p / std::size_t(width), c));
      image.pixels[p * planes + c] = std::uint8_t(std::nearbyint((std::clamp(value, -1.0, 1.0) + 1) * 127.5));
    }
  return image;
}

}  // namespace

std::vector<float> to_tensor(const Image& image) {
  check_image(image);
  const std::size_t planes = std::size_t(image.channels), pixels = image.pixels.size() / planes;
  std::vector<float> tensor(image.pixels.size());
  for (std::size_t c = 0; c < planes; ++c)
    for (std::size_t p = 0; p < pixels; ++p)
      tensor[c * pixels + p] = float(image.pixels[p * planes + c]) / 255.f;
  return tensor;
}

std::vector<float> scale_to_signed(std::vector<float> tensor) {
  for (float& value : tensor) value = value * 2 - 1;
  return tensor;
}

Image to_image(std::span<const double> x, int channels, int height, int width) {
  return convert(x, channels, height, width);
}

Image to_image(std::span<const float> x, int channels, int height, int width) {
  return convert(x, channels, height, width);
}

}  // namespace diffusion
