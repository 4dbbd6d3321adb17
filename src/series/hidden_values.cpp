#include "series/hidden_values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr double kLeastShare = 0.05, kMostShare = 0.95;
constexpr std::uint32_t kPatternNumbers = 3;  // positions of a key that decide about the whole pattern

}  // namespace

std::vector<bool> hidden_values(int count, Hiding hiding, double share, int block, const RandomKey& key) {
  if (count < 0 || !(share >= 0 && share < 1) || block < 1)
    throw Error(ErrorKind::internal, "hidden_values: share or block is out of range");
  std::vector<bool> hidden(std::size_t(count), false);
  if (hiding == Hiding::points) {
    for (int i = 0; i < count; ++i)
      hidden[std::size_t(i)] = uniform(key, kPatternNumbers + std::uint32_t(i)) < share;
    return hidden;
  }
  const int wanted = int(std::lround(share * count));
  for (int drawn = 0, covered = 0; covered < wanted; ++drawn) {
    const int end =
        int(uniform_below(key, std::uint32_t(count + block - 1), kPatternNumbers + std::uint32_t(drawn))) + 1;
    for (int i = std::max(0, end - block); i < std::min(end, count) && covered < wanted; ++i) {
      covered += !hidden[std::size_t(i)];
      hidden[std::size_t(i)] = true;
    }
  }
  return hidden;
}

std::vector<bool> hidden_in_training(int count, int most_block, const RandomKey& key) {
  const double share = kLeastShare + (kMostShare - kLeastShare) * uniform(key, 0);
  const Hiding hiding = uniform(key, 1) < 0.5 ? Hiding::points : Hiding::blocks;
  const double block = 2 * std::pow(std::max(most_block, 2) / 2.0, uniform(key, 2));
  return hidden_values(count, hiding, share, int(std::lround(block)), key);
}

}  // namespace diffusion
