#include "pictures/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <span>

#include <diffusion/error.h>
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

// Weights are whole multiples of 2^-22: with 8 bits of pixel and a sign they fill an int.
constexpr int kWeightBits = 22;
constexpr int kMostShrinking = 65'536;

// One output pixel along one direction: sum of weights[k] input[first + k].
struct Taps {
  std::size_t first;
  std::vector<std::int32_t> weights;

  std::size_t end() const { return first + weights.size(); }
};

Taps triangle_taps(double center, double radius, int size) {
  const int first = std::max(int(center - radius + 0.5), 0), end = std::min(int(center + radius + 0.5), size);
  std::vector<double> weights;
  double sum = 0;
  for (int i = first; i < end; ++i) {
    weights.push_back(std::max(0.0, 1 - std::abs((i - center + 0.5) * (1 / radius))));
    sum += weights.back();
  }
  Taps taps{std::size_t(first), {}};
  for (const double weight : weights)
    taps.weights.push_back(std::int32_t(0.5 + weight / sum * (1 << kWeightBits)));
  return taps;
}

std::vector<Taps> make_taps(int from, int to) {
  const double scale = double(from) / double(to), radius = std::max(scale, 1.0);
  std::vector<Taps> taps;
  for (int i = 0; i < to; ++i) taps.push_back(triangle_taps((i + 0.5) * scale, radius, from));
  return taps;
}

std::uint8_t rounded(std::int32_t sum) {
  return std::uint8_t(std::clamp((sum + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
}

void check_size(std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1 || width > kMaxPixels / height)
    throw Error(ErrorKind::usage,
                fmt::format("A picture of {} x {} pixels cannot be made; accepted are sides of "
                            "at least 1 and at most {} pixels.",
                            width, height, kMaxPixels));
}

void resize_row(const std::uint8_t* row, std::span<const Taps> across, std::size_t channels,
                std::span<std::uint8_t> out) {
  std::size_t next = 0;
  for (const Taps& taps : across)
    for (std::size_t c = 0; c < channels; ++c) {
      std::int32_t sum = 0;
      const std::uint8_t* source = row + taps.first * channels + c;
      for (const std::int32_t weight : taps.weights) {
        sum += weight * *source;
        source += channels;
      }
      out[next++] = rounded(sum);
    }
}

// Rows of the original come one by one, and go into every row of the result that they are a part of: the
// memory for what is not finished is two or three rows where a picture shrinks, whatever its height.
Image resample(const Image& image, int width, int height) {
  const std::vector<Taps> across = make_taps(image.width, width), down = make_taps(image.height, height);
  const std::size_t channels = std::size_t(image.channels);
  const std::size_t row_in = std::size_t(image.width) * channels, row_out = std::size_t(width) * channels;
  Image out{width, height, image.channels, {}};
  out.pixels.reserve(std::size_t(height) * row_out);
  std::vector<std::uint8_t> resized(row_out);
  std::deque<std::vector<std::int32_t>> sums;  // of rows `finished`, `finished` + 1, ... of the result
  std::size_t finished = 0;
  for (std::size_t y = 0; finished < down.size(); ++y) {
    const std::uint8_t* row = image.pixels.data() + y * row_in;
    if (width != image.width) {
      resize_row(row, across, channels, resized);
      row = resized.data();
    }
    while (finished + sums.size() < down.size() && down[finished + sums.size()].first <= y)
      sums.emplace_back(row_out, 0);
    for (std::size_t k = 0; k < sums.size(); ++k) {
      const Taps& taps = down[finished + k];
      const std::int32_t weight = taps.weights[y - taps.first];
      for (std::size_t i = 0; i < row_out; ++i) sums[k][i] += weight * row[i];
    }
    for (; !sums.empty() && down[finished].end() == y + 1; ++finished) {
      for (const std::int32_t sum : sums.front()) out.pixels.push_back(rounded(sum));
      sums.pop_front();
    }
  }
  return out;
}

// Colors times alpha, and back.
void premultiply(Image& image) {
  const std::size_t channels = std::size_t(image.channels);
  for (std::size_t p = 0; p < image.pixels.size(); p += channels)
    for (std::size_t c = 0; c + 1 < channels; ++c)
      image.pixels[p + c] = std::uint8_t((image.pixels[p + c] * image.pixels[p + channels - 1] + 127) / 255);
}

void unpremultiply(Image& image) {
  const std::size_t channels = std::size_t(image.channels);
  for (std::size_t p = 0; p < image.pixels.size(); p += channels) {
    const int alpha = image.pixels[p + channels - 1];
    if (alpha == 0) continue;
    for (std::size_t c = 0; c + 1 < channels; ++c)  // rounded down, as Pillow does
      image.pixels[p + c] = std::uint8_t(std::min(255, image.pixels[p + c] * 255 / alpha));
  }
}

// The longer side to go with a shorter one, or the other way round.
std::int64_t in_proportion(std::int64_t side, int from, int to) {
  return side * to / from;
}

}  // namespace

Image resize(const Image& image, int width, int height) {
  check_image(image);
  check_size(width, height);
  if (width == image.width && height == image.height) return image;
  if (image.width / kMostShrinking >= width || image.height / kMostShrinking >= height)
    throw Error(
        ErrorKind::usage,
        fmt::format("A picture of {} x {} pixels cannot be resized to {} x {}; accepted is shrinking a side "
                    "less than {} times.",
                    image.width, image.height, width, height, kMostShrinking));
  const bool has_alpha = image.channels == 2 || image.channels == 4;
  if (!has_alpha) return resample(image, width, height);
  Image premultiplied = image;
  premultiply(premultiplied);
  Image out = resample(premultiplied, width, height);
  unpremultiply(out);
  return out;
}

Image resize_shorter_side(const Image& image, int size) {
  check_image(image);
  check_size(size, size);
  const bool wide = image.width > image.height;
  const std::int64_t longer =
      wide ? in_proportion(image.width, image.height, size) : in_proportion(image.height, image.width, size);
  check_size(size, longer);
  return wide ? resize(image, int(longer), size) : resize(image, size, int(longer));
}

Image resize_to_width(const Image& image, int width) {
  check_image(image);
  check_size(width, 1);
  const std::int64_t height = std::max<std::int64_t>(1, in_proportion(image.height, image.width, width));
  check_size(width, height);
  return resize(image, width, int(height));
}

Image crop(const Image& image, int left, int top, int height, int width) {
  check_image(image);
  check_size(width, height);
  if (left < 0 || top < 0 || width > image.width - left || height > image.height - top)
    throw Error(ErrorKind::usage,
                fmt::format("A picture of {} x {} pixels has no part of {} x {} pixels at ({}, {}).",
                            image.width, image.height, width, height, left, top));
  const std::size_t channels = std::size_t(image.channels), row = std::size_t(width) * channels;
  Image out{width, height, image.channels, {}};
  out.pixels.reserve(std::size_t(height) * row);
  for (std::size_t y = 0; y < std::size_t(height); ++y) {
    const std::size_t start =
        ((std::size_t(top) + y) * std::size_t(image.width) + std::size_t(left)) * channels;
    const auto begin = image.pixels.begin() + std::ptrdiff_t(start);
    out.pixels.insert(out.pixels.end(), begin, begin + std::ptrdiff_t(row));
  }
  return out;
}

Image center_crop(const Image& image, int height, int width) {
  if (width > image.width || height > image.height)
    throw Error(
        ErrorKind::usage,
        fmt::format("A picture of {} x {} pixels is smaller than the {} x {} pixels to be cut out of it.",
                    image.width, image.height, width, height));
  return crop(image, (image.width - width) / 2, (image.height - height) / 2, height, width);
}

Image center_square(const Image& image, int size) {
  return center_crop(resize_shorter_side(image, size), size, size);
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

}  // namespace diffusion
