#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/pixel_store.h"

namespace diffusion {

// Images of one size, 8 bits a channel, in memory or in a mapped file; with labels or without.
struct Dataset {
  std::string name;
  int height = 0, width = 0, channels = 0;
  PixelStore pixels;                     // [stored, H, W, C]
  std::vector<std::uint16_t> labels;     // empty, or N indices into class_names
  std::vector<std::string> class_names;  // empty when there are no labels

  // Rows and columns more than an example for training has, which is then a window at a random place
  // (--random-crop).
  std::array<int, 2> margin{0, 0};
  // Image i is number first + i * step of `pixels`: one shard of a set.
  int first = 0, step = 1;
  // Of all pixels and labels, where that is known already: the cache of an image folder.
  std::optional<std::uint64_t> content_hash = {};

  int count() const;
  // The H * W * C bytes of image i, 0 <= i < count().
  std::span<const std::uint8_t> image(int i) const;

  int example_height() const { return height - margin[0]; }
  int example_width() const { return width - margin[1]; }

  // A 64-bit FNV-1a hash of count, height, width, channels, pixels and labels (little-endian), the same on
  // every machine; where there is a content_hash, of that, first and step. A resumed training run compares it
  // to see that the data are still the same, in the same order.
  std::uint64_t fingerprint() const;

 private:
  std::size_t image_bytes() const { return std::size_t(height) * std::size_t(width) * std::size_t(channels); }
};

// The images k, k + n, k + 2n, ... of a whole set: shard k of n, 0 <= k < n. The pixels are shared, not
// copied. Error(usage) for other numbers, and for more shards than images.
Dataset take_shard(Dataset whole, int n, int k);

}  // namespace diffusion
