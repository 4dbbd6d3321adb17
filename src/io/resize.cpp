#include "io/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace diffusion {

namespace {

// One output pixel along one direction: sum of weights[k] input[first + k].
struct Taps {
  std::size_t first;
  std::vector<double> weights;
};

Taps area_taps(double begin, double end, int size) {
  const int first = int(begin), last = std::min(int(std::ceil(end)), size);
  Taps taps{std::size_t(first), {}};
  for (int i = first; i < last; ++i) {
    const double covered = std::min(end, double(i + 1)) - std::max(begin, double(i));
    taps.weights.push_back(std::max(covered, 0.0) / (end - begin));
  }
  return taps;
}

Taps linear_taps(double center, int size) {
  const double place = std::clamp(center - 0.5, 0.0, double(size - 1));
  const int first = std::min(int(place), std::max(size - 2, 0));
  if (size == 1) return {0, {1.0}};
  return {std::size_t(first), {1 - (place - first), place - first}};
}

std::vector<Taps> make_taps(int from, int to) {
  const double scale = double(from) / double(to);
  std::vector<Taps> taps;
  for (int i = 0; i < to; ++i)
    taps.push_back(scale > 1 ? area_taps(i * scale, (i + 1) * scale, from)
                             : linear_taps((i + 0.5) * scale, from));
  return taps;
}

void check_size(int width, int height) {
  if (width < 1 || height < 1 || width > kMaxPixels / height)
    throw Error(ErrorKind::usage,
                fmt::format("A picture of {} x {} pixels cannot be made; accepted are sides of "
                            "at least 1 and at most {} pixels.",
                            width, height, kMaxPixels));
}

}  // namespace

Image resize(const Image& image, int width, int height) {
  check_image(image);
  check_size(width, height);
  if (width == image.width && height == image.height) return image;
  const std::vector<Taps> across = make_taps(image.width, width), down = make_taps(image.height, height);
  const std::size_t channels = std::size_t(image.channels);
  const std::size_t row_in = std::size_t(image.width) * channels, row_out = std::size_t(width) * channels;

  Image out{width, height, image.channels, std::vector<std::uint8_t>(std::size_t(height) * row_out)};
  std::vector<double> row(row_in);
  for (std::size_t y = 0; y < down.size(); ++y) {
    std::ranges::fill(row, 0.0);
    for (std::size_t k = 0; k < down[y].weights.size(); ++k) {
      const std::uint8_t* source = image.pixels.data() + (down[y].first + k) * row_in;
      for (std::size_t i = 0; i < row_in; ++i) row[i] += down[y].weights[k] * source[i];
    }
    for (std::size_t x = 0; x < across.size(); ++x)
      for (std::size_t c = 0; c < channels; ++c) {
        double value = 0;
        for (std::size_t k = 0; k < across[x].weights.size(); ++k)
          value += across[x].weights[k] * row[(across[x].first + k) * channels + c];
        out.pixels[y * row_out + x * channels + c] =
            std::uint8_t(std::clamp(std::nearbyint(value), 0.0, 255.0));
      }
  }
  return out;
}

Image center_square(const Image& image, int size) {
  check_image(image);
  check_size(size, size);
  const double scale = double(size) / std::min(image.width, image.height);
  const auto side = [&](int length) {
    return std::max(std::int64_t(size), std::int64_t(std::llround(length * scale)));
  };
  const std::int64_t width = side(image.width), height = side(image.height);
  if (width > kMaxPixels / height)
    check_size(int(std::min(width, kMaxPixels)), int(std::min(height, kMaxPixels)));
  const Image whole = resize(image, int(width), int(height));

  const std::size_t channels = std::size_t(image.channels), row = std::size_t(size) * channels;
  const std::size_t left = std::size_t(whole.width - size) / 2, top = std::size_t(whole.height - size) / 2;
  Image square{size, size, image.channels, std::vector<std::uint8_t>(std::size_t(size) * row)};
  for (std::size_t y = 0; y < std::size_t(size); ++y)
    std::copy_n(whole.pixels.data() + ((top + y) * std::size_t(whole.width) + left) * channels, row,
                square.pixels.data() + y * row);
  return square;
}

Image enlarge(const Image& image, int scale) {
  check_image(image);
  if (scale < 1 || image.width > kMaxPixels / scale || image.height > kMaxPixels / scale)
    throw Error(ErrorKind::usage, fmt::format("A picture of {} x {} pixels cannot be enlarged {} times.",
                                              image.width, image.height, scale));
  if (scale == 1) return image;
  check_size(image.width * scale, image.height * scale);
  const std::size_t channels = std::size_t(image.channels), factor = std::size_t(scale);
  Image out{image.width * scale, image.height * scale, image.channels, {}};
  out.pixels.reserve(image.pixels.size() * factor * factor);
  const std::size_t row_in = std::size_t(image.width) * channels, row_out = row_in * factor;
  for (std::size_t y = 0; y < std::size_t(image.height); ++y) {
    for (std::size_t x = 0; x < std::size_t(image.width); ++x) {
      const auto pixel = image.pixels.begin() + std::ptrdiff_t(y * row_in + x * channels);
      for (std::size_t k = 0; k < factor; ++k)
        out.pixels.insert(out.pixels.end(), pixel, pixel + std::ptrdiff_t(channels));
    }
    for (std::size_t k = 1; k < factor; ++k) {
      const auto row = out.pixels.end() - std::ptrdiff_t(row_out);
      out.pixels.insert(out.pixels.end(), row, row + std::ptrdiff_t(row_out));
    }
  }
  return out;
}

Image on_white(const Image& image) {
  check_image(image);
  if (image.channels == 1 || image.channels == 3) return image;
  const std::size_t colors = std::size_t(image.channels) - 1;
  Image out{image.width, image.height, int(colors), {}};
  out.pixels.reserve(image.pixels.size() / (colors + 1) * colors);
  for (std::size_t p = 0; p < image.pixels.size(); p += colors + 1) {
    const int alpha = image.pixels[p + colors];
    for (std::size_t c = 0; c < colors; ++c)
      out.pixels.push_back(std::uint8_t((image.pixels[p + c] * alpha + 255 * (255 - alpha) + 127) / 255));
  }
  return out;
}

}  // namespace diffusion
