#pragma once

// A small register-blocked matrix product for attention and the embedding layers. Each sum over k is made in
// order, whatever the tile, so results do not depend on the number of rows.

#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

struct GemmOperands {
  const float* a;
  std::int64_t row_stride, column_stride;
  const float* b;
  std::int64_t ldb;
  float* c;
  std::int64_t ldc;
  std::int64_t k;
  bool accumulate;
};

template <int kRows, int kVecs>
inline void gemm_tile(const GemmOperands& o, std::int64_t row, std::int64_t column) {
  Vec acc[kRows * kVecs];
  unroll<kRows * kVecs>([&](auto i) { acc[i] = Vec{}; });
  const std::int64_t row_stride = o.row_stride, column_stride = o.column_stride, ldb = o.ldb, ldc = o.ldc;
  const float* a = o.a + row * row_stride;
  const float* b = o.b + column;
  for (std::int64_t k = o.k; k > 0; --k) {
    Vec bk[kVecs];
    unroll<kVecs>([&](auto v) { bk[v] = load(b + v * kLanes); });
    unroll<kRows>([&](auto r) {
      const Vec ak = splat(a[r * row_stride]);
      unroll<kVecs>([&](auto v) { acc[r * kVecs + v] += ak * bk[v]; });
    });
    a += column_stride;
    b += ldb;
  }
  float* c = o.c + row * ldc + column;
  const bool accumulate = o.accumulate;
  unroll<kRows>([&](auto r) {
    if (accumulate) unroll<kVecs>([&](auto v) { acc[r * kVecs + v] += load(c + v * kLanes); });
    unroll<kVecs>([&](auto v) { store(c + v * kLanes, acc[r * kVecs + v]); });
    c += ldc;
  });
}

template <int kRows, int kVecs>
inline void gemm_panel(const GemmOperands& o, std::int64_t rows, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) gemm_tile<kRows, kVecs>(o, row, column);
  if constexpr (kRows > 2)
    for (; row + 2 <= rows; row += 2) gemm_tile<2, kVecs>(o, row, column);
  for (; row < rows; ++row) gemm_tile<1, kVecs>(o, row, column);
}

// c[m, n] (+)= a b; n is a multiple of kLanes.
inline void gemm(std::int64_t m, std::int64_t n, const GemmOperands& o) {
  constexpr bool kManyRegisters = kRegisters >= 32;
  std::int64_t column = 0;
  if constexpr (kManyRegisters)
    for (; column + 4 * kLanes <= n; column += 4 * kLanes) gemm_panel<6, 4>(o, m, column);
  for (; column + 2 * kLanes <= n; column += 2 * kLanes) gemm_panel<kManyRegisters ? 12 : 6, 2>(o, m, column);
  if (column < n) gemm_panel<kManyRegisters ? 12 : 8, 1>(o, m, column);
}

}  // namespace diffusion::DIFFUSION_ISA
