#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace diffusion {

// Images of one size, 8 bits a channel, all in memory; with labels or without.
struct Dataset {
  std::string name;
  int height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;      // [N, H, W, C]
  std::vector<std::uint16_t> labels;     // empty, or N indices into class_names
  std::vector<std::string> class_names;  // empty when there are no labels

  int count() const;
  // The H * W * C bytes of image i, 0 <= i < count().
  std::span<const std::uint8_t> image(int i) const;

  // A 64-bit FNV-1a hash of count, height, width, channels, pixels and labels (little-endian), the same on
  // every machine. A resumed training run compares it to see that the data are still the same, in the same
  // order.
  std::uint64_t fingerprint() const;

 private:
  std::size_t image_bytes() const { return std::size_t(height) * std::size_t(width) * std::size_t(channels); }
};

}  // namespace diffusion
