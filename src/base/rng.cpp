#include "base/rng.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace diffusion {

namespace {

struct Product {
  std::uint32_t hi, lo;
};

Product multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t p = std::uint64_t(a) * b;
  return {std::uint32_t(p >> 32), std::uint32_t(p)};
}

// (0, 1], so that its logarithm is finite.
double open_unit(std::uint32_t bits) {
  return (double(bits) + 1.0) * 0x1p-32;
}

// Two independent normals from two words.
std::array<double, 2> box_muller(std::uint32_t a, std::uint32_t b) {
  const double radius = std::sqrt(-2.0 * std::log(open_unit(a)));
  const double angle = 2.0 * std::numbers::pi * (double(b) * 0x1p-32);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

template <class T>
void fill_normal_as(const RandomKey& key, std::span<T> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto words = philox(key, std::uint32_t(i / 4));
    const auto first = box_muller(words[0], words[1]);
    const auto second = box_muller(words[2], words[3]);
    const std::array<double, 4> normals{first[0], first[1], second[0], second[1]};
    for (std::size_t k = 0; k < std::min<std::size_t>(4, out.size() - i); ++k) out[i + k] = T(normals[k]);
  }
}

}  // namespace

std::array<std::uint32_t, 4> philox(const RandomKey& key, std::uint32_t block) {
  std::array<std::uint32_t, 4> x{block, key.step, key.sample, std::uint32_t(key.stream)};
  auto k0 = std::uint32_t(key.seed), k1 = std::uint32_t(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product a = multiply(0xD2511F53u, x[0]), b = multiply(0xCD9E8D57u, x[2]);
    x = {b.hi ^ x[1] ^ k0, b.lo, a.hi ^ x[3] ^ k1, a.lo};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return x;
}

double uniform(const RandomKey& key, std::uint32_t position) {
  return double(philox(key, position / 4)[position % 4]) * 0x1p-32;
}

std::uint32_t uniform_below(const RandomKey& key, std::uint32_t bound, std::uint32_t position) {
  return multiply(philox(key, position / 4)[position % 4], bound).hi;
}

void fill_normal(const RandomKey& key, std::span<float> out) {
  fill_normal_as(key, out);
}
void fill_normal(const RandomKey& key, std::span<double> out) {
  fill_normal_as(key, out);
}

double normal_quantile(double u) {
  u = std::clamp(u, 0x1p-33, 1 - 0x1p-33);
  double low = -7, high = 7;
  while (true) {
    const double x = (low + high) / 2;
    if (x == low || x == high) return x;
    (std::erfc(-x / std::numbers::sqrt2) / 2 < u ? low : high) = x;
  }
}

std::uint64_t permute(const RandomKey& key, std::uint64_t index, std::uint64_t size) {
  if (size < 2) return 0;
  const int half_bits = (std::bit_width(size - 1) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t(1) << half_bits) - 1;
  do {
    std::uint64_t left = index >> half_bits, right = index & mask;
    for (std::uint32_t round = 0; round < 6; ++round) {
      RandomKey k = key;
      k.sample = std::uint32_t(right);
      const auto words = philox(k, round);
      const std::uint64_t mixed = (left ^ (std::uint64_t(words[0]) << 32 | words[1])) & mask;
      left = right;
      right = mixed;
    }
    index = left << half_bits | right;
  } while (index >= size);
  return index;
}

}  // namespace diffusion
