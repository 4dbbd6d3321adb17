#pragma once

// A small register-blocked matrix product for attention and the embedding layers. Each output is one running
// sum over k in order, whatever the tile, so results do not depend on the number of rows.

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
  Vec acc[kRows][kVecs];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v)
      acc[r][v] = o.accumulate ? load(o.c + (row + r) * o.ldc + column + v * kLanes) : Vec{};
  const float* a = o.a + row * o.row_stride;
  const float* b = o.b + column;
  for (std::int64_t k = 0; k < o.k; ++k) {
    Vec bk[kVecs];
    for (int v = 0; v < kVecs; ++v) bk[v] = load(b + k * o.ldb + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vec ak = splat(a[r * o.row_stride + k * o.column_stride]);
      for (int v = 0; v < kVecs; ++v) acc[r][v] += ak * bk[v];
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) store(o.c + (row + r) * o.ldc + column + v * kLanes, acc[r][v]);
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
