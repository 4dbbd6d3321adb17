#pragma once

// Products of pairs of bf16 (AVX512-BF16): one instruction multiplies two of each operand and adds both
// products in f32.

#ifdef __AVX512BF16__

#include <immintrin.h>

#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

// Two bf16: the lower half is the earlier one.
using Pair = std::uint32_t;

// acc + a[0] b[0] + a[1] b[1], in each lane
inline Vec add_products(Vec acc, __m512i a, __m512i b) {
  return bits_of<Vec>(_mm512_dpbf16_ps(as_m512(acc), bits_of<__m512bh>(a), bits_of<__m512bh>(b)));
}

inline __m512i broadcast(const Pair* p) {
  return _mm512_set1_epi32(int(*p));
}

// The lanes of a and b as pairs.
inline void store_pairs(Pair* to, Vec a, Vec b) {
  const __m512i packed = bits_of<__m512i>(_mm512_cvtne2ps_pbh(as_m512(b), as_m512(a)));  // all of a, all of b
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, packed));
}

// c[row][column] (+)= sum over k of a[row][k] b[k][column], k counted in pairs. Each sum is made in order of
// k, whatever the tile of the loop.
struct PairProduct {
  const Pair* a;
  std::int64_t a_row, a_k;  // distances
  const Pair* b;
  std::int64_t b_k;
  float* c;
  std::int64_t c_row;
  std::int64_t pairs;
  bool accumulate;
};

// acc[row][vector] += the products of kRows rows from number `row` and kVecs vectors of columns.
template <int kRows, int kVecs>
[[gnu::always_inline]] inline void add_tile(const PairProduct& p, std::int64_t row,
                                            Vec (&acc)[kRows * kVecs]) {
  const std::int64_t a_row = p.a_row, a_k = p.a_k, b_k = p.b_k;
  const Pair* a = p.a + row * a_row;
  const Pair* b = p.b;
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
}

template <int kRows, int kVecs>
inline void multiply_tile(const PairProduct& p, std::int64_t row) {
  Vec acc[kRows * kVecs];
  unroll<kRows * kVecs>([&](auto i) { acc[i] = Vec{}; });
  add_tile<kRows, kVecs>(p, row, acc);
  const std::int64_t c_row = p.c_row;
  float* c = p.c + row * c_row;
  const bool accumulate = p.accumulate;
  unroll<kRows>([&](auto r) {
    if (accumulate) unroll<kVecs>([&](auto v) { acc[r * kVecs + v] += load(c + v * kLanes); });
    unroll<kVecs>([&](auto v) { store(c + v * kLanes, acc[r * kVecs + v]); });
    c += c_row;
  });
}

// Whole tiles of rows: up to kRows - 1 more than asked for.
template <int kRows, int kVecs>
inline void multiply_rows(const PairProduct& p, std::int64_t rows) {
  for (std::int64_t row = 0; row < rows; row += kRows) multiply_tile<kRows, kVecs>(p, row);
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
