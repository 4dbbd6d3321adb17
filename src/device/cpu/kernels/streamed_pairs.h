#pragma once

// Products of pairs of bf16 whose weights come from a file, a slice at a time.

#ifdef __AVX512BF16__

#include "device/cpu/kernels/bf16_pairs.h"
#include "device/cpu/kernels/stored_weight.h"
#include "device/cpu/kernels/transpose.h"

namespace diffusion::DIFFUSION_ISA {

// 32 numbers, rounded to bf16, as 16 pairs.
inline __m512i load_pairs(const bf16* p) {
  return _mm512_loadu_si512(p);
}
template <class T>
inline __m512i load_pairs(const T* p) {
  return bits_of<__m512i>(_mm512_cvtne2ps_pbh(as_m512(load(p + kLanes)), as_m512(load(p))));
}
// The same of the first `count`, and zeros.
template <class T>
inline __m512i load_pairs(const T* p, std::int64_t count) {
  if (count >= 2 * kLanes) return load_pairs(p);
  T some[2 * kLanes] = {};
  for (std::int64_t i = 0; i < count; ++i) some[i] = p[i];
  return load_pairs(some);
}

// c[row][column] of kRows x kVecs vectors, where `product` says: its sum goes on from what c holds if it
// accumulates, so that one in slices is the same bits as one in a piece.
template <int kRows, int kVecs>
inline void continue_tile(const PairProduct& p, std::int64_t row) {
  Vec acc[kRows * kVecs];
  const std::int64_t c_row = p.c_row;
  float* c = p.c + row * c_row;
  if (p.accumulate)
    unroll<kRows * kVecs>([&](auto i) { acc[i] = load(c + i / kVecs * c_row + i % kVecs * kLanes); });
  else
    unroll<kRows * kVecs>([&](auto i) { acc[i] = Vec{}; });
  add_tile<kRows, kVecs>(p, row, acc);
  unroll<kRows * kVecs>([&](auto i) { store(c + i / kVecs * c_row + i % kVecs * kLanes, acc[i]); });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
