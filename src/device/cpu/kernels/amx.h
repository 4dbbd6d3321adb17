#pragma once

// Products of tiles of bf16 (AMX): c[16][16] += a[16][32] b[32][16], in f32. a is 16 rows of 64 bytes; b is
// 16 rows of pairs, row r holding b[2r][n] and b[2r + 1][n] side by side for each n; c is 16 rows of 16
// floats.

#ifdef __AMX_BF16__

#include <immintrin.h>

#include <cstdint>

#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA::amx {

inline constexpr std::int64_t kRows = 16, kDepth = 32, kTileValues = 512;  // of a and b; bf16

// All eight tile registers in full size, for the thread that makes this, as long as it lives.
class TileRegisters {
 public:
  TileRegisters() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14]{};
      std::uint16_t row_bytes[16]{};
      std::uint8_t rows[16]{};
    } config;
    for (int t = 0; t < 8; ++t) {
      config.row_bytes[t] = 64;
      config.rows[t] = kRows;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
  }
  ~TileRegisters() { __asm__ volatile("tilerelease"); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
};

// GCC's own intrinsics take literal numbers alone, and do not say what memory they read and write. `stride`:
// bytes between rows.
template <int t>
[[gnu::always_inline]] inline void load_tile(const void* from, std::int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(t) : "memory");
}
template <int t>
[[gnu::always_inline]] inline void store_tile(void* to, std::int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(t) : "memory");
}
template <int t>
[[gnu::always_inline]] inline void clear_tile() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(t));
}
template <int c, int a, int b>
[[gnu::always_inline]] inline void multiply_tiles() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}

// Rows a and b of 16 bf16 as one row of pairs.
inline __m512i zip_rows(const bf16* a, const bf16* b) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)));
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

}  // namespace diffusion::DIFFUSION_ISA::amx

#endif
