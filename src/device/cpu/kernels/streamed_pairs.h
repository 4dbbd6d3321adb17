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
inline __m512i load_pairs(const float* p) {
  return bits_of<__m512i>(_mm512_cvtne2ps_pbh(as_m512(load(p + kLanes)), as_m512(load(p))));
}
inline __m512i load_pairs(const f16* p) {
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
  const std::int64_t a_row = p.a_row, a_k = p.a_k, b_k = p.b_k, c_row = p.c_row;
  const Pair* a = p.a + row * a_row;
  const Pair* b = p.b;
  float* c = p.c + row * c_row;
  if (p.accumulate)
    unroll<kRows * kVecs>([&](auto i) { acc[i] = load(c + i / kVecs * c_row + i % kVecs * kLanes); });
  else
    unroll<kRows * kVecs>([&](auto i) { acc[i] = Vec{}; });
  for (std::int64_t k = p.pairs; k > 0; --k) {
    __m512i bk[kVecs];
    unroll<kVecs>([&](auto v) { bk[v] = _mm512_loadu_si512(b + v * kLanes); });
    unroll<kRows>([&](auto r) {
      const __m512i ak = broadcast(a + r * a_row);
      unroll<kVecs>([&](auto v) { acc[r * kVecs + v] = add_products(acc[r * kVecs + v], bk[v], ak); });
    });
    a += a_k;
    b += b_k;
  }
  unroll<kRows * kVecs>([&](auto i) { store(c + i / kVecs * c_row + i % kVecs * kLanes, acc[i]); });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
