#include "pictures/palette.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace diffusion {

namespace {

struct WeightedColor {
  Rgb color{};
  std::uint64_t pixels = 0;
};

std::uint32_t pack(const Rgb& color) {
  return (std::uint32_t(color[0]) << 16) | (std::uint32_t(color[1]) << 8) | color[2];
}

std::vector<WeightedColor> count_colors(std::span<const Image> images) {
  std::vector<std::uint32_t> all;
  for (const Image& image : images) {
    for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
      all.push_back(pack({image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]}));
    }
  }
  std::ranges::sort(all);
  std::vector<WeightedColor> colors;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 0 || all[i] != all[i - 1]) {
      colors.push_back({{std::uint8_t(all[i] >> 16), std::uint8_t(all[i] >> 8), std::uint8_t(all[i])}, 0});
    }
    ++colors.back().pixels;
  }
  return colors;
}

// A set of colors and the axis along which it is widest.
struct Box {
  std::span<WeightedColor> colors;
  std::size_t axis = 0;
  int extent = 0;  // along that axis
  std::uint64_t pixels = 0;

  explicit Box(std::span<WeightedColor> members) : colors(members) {
    for (const WeightedColor& color : colors) pixels += color.pixels;
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const auto value = [&](const WeightedColor& color) { return color.color[channel]; };
      const auto [low, high] = std::ranges::minmax_element(colors, {}, value);
      const int width = value(*high) - value(*low);
      if (width > extent) {
        extent = width;
        axis = channel;
      }
    }
  }

  // Large errors on many pixels first; 0 if there is nothing to split.
  std::uint64_t priority() const { return pixels * std::uint64_t(extent); }

  // Two boxes, neither empty, with about half of the pixels each.
  std::pair<Box, Box> split() const {
    std::ranges::sort(colors, {}, [&](const WeightedColor& color) {
      return std::pair(color.color[axis], pack(color.color));
    });
    std::size_t cut = 1;
    for (std::uint64_t left = colors[0].pixels; cut + 1 < colors.size() && left < pixels / 2; ++cut) {
      left += colors[cut].pixels;
    }
    return {Box(colors.first(cut)), Box(colors.subspan(cut))};
  }

  Rgb mean() const {
    Rgb result{};
    for (std::size_t channel = 0; channel < 3; ++channel) {
      std::uint64_t sum = 0;
      for (const WeightedColor& color : colors) sum += color.pixels * color.color[channel];
      result[channel] = std::uint8_t((sum + pixels / 2) / pixels);
    }
    return result;
  }
};

}  // namespace

std::vector<Rgb> median_cut_palette(std::span<const Image> images, std::size_t max_colors) {
  std::vector<WeightedColor> colors = count_colors(images);
  std::vector<Box> boxes;
  if (!colors.empty()) boxes.emplace_back(colors);
  while (boxes.size() < max_colors) {
    const auto widest = std::ranges::max_element(boxes, {}, &Box::priority);
    if (widest == boxes.end() || widest->priority() == 0) break;
    auto [low, high] = widest->split();
    *widest = low;
    boxes.push_back(high);
  }
  std::vector<Rgb> palette;
  for (const Box& box : boxes) palette.push_back(box.mean());
  return palette;
}

PaletteMapper::PaletteMapper(std::vector<Rgb> palette) : palette_(std::move(palette)), known_(1 << 24, -1) {}

std::uint8_t PaletteMapper::nearest(const Rgb& color) {
  std::int16_t& known = known_[pack(color)];
  if (known < 0) {
    int smallest = std::numeric_limits<int>::max();
    for (std::size_t i = 0; i < palette_.size(); ++i) {
      int distance = 0;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const int difference = int(color[channel]) - palette_[i][channel];
        distance += difference * difference;
      }
      if (distance < smallest) {
        smallest = distance;
        known = std::int16_t(i);
      }
    }
  }
  return std::uint8_t(known);
}

std::vector<std::uint8_t> PaletteMapper::dither(const Image& image) {
  const auto width = std::size_t(image.width);
  const auto height = std::size_t(image.height);
  std::vector<std::uint8_t> indices(width * height);
  // Errors in sixteenths for this row and the next, with one unused pixel at either end.
  std::vector<std::array<int, 3>> current(width + 2), next(width + 2);
  for (std::size_t y = 0; y < height; ++y) {
    std::ranges::fill(next, std::array<int, 3>{});
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint8_t* pixel = image.pixels.data() + (y * width + x) * 3;
      Rgb wanted{};
      for (std::size_t channel = 0; channel < 3; ++channel) {
        wanted[channel] = std::uint8_t(std::clamp(pixel[channel] + current[x + 1][channel] / 16, 0, 255));
      }
      const std::uint8_t index = nearest(wanted);
      indices[y * width + x] = index;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const int error = int(wanted[channel]) - palette_[index][channel];
        current[x + 2][channel] += 7 * error;
        next[x][channel] += 3 * error;
        next[x + 1][channel] += 5 * error;
        next[x + 2][channel] += error;
      }
    }
    std::swap(current, next);
  }
  return indices;
}

}  // namespace diffusion
