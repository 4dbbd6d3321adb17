#include "base/pair_sums.h"

namespace diffusion {

void add_in_pairs(std::span<float* const> blocks, std::size_t begin, std::size_t end) {
  for (std::size_t distance = 1; distance < blocks.size(); distance *= 2)
    for (std::size_t k = 0; k + distance < blocks.size(); k += 2 * distance) {
      float* a = blocks[k];
      const float* b = blocks[k + distance];
      for (std::size_t i = begin; i < end; ++i) a[i] += b[i];
    }
}

void add_scaled(const float* from, float factor, float* to, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) to[i] += factor * from[i];
}

}  // namespace diffusion
