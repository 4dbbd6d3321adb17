#pragma once

// Transposes of matrices of 32-bit words whose sides are multiples of kLanes.

#include "device/cpu/kernels/simd.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace diffusion::DIFFUSION_ISA {

#ifdef __AVX512F__
// 16 x 16 words.
inline void transpose_tile(const void* from_words, std::int64_t from_stride, void* to_words,
                           std::int64_t to_stride) {
  const auto* from = static_cast<const std::uint32_t*>(from_words);
  auto* to = static_cast<std::uint32_t*>(to_words);
  __m512i r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from + i * from_stride);
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int half = 0; half < 2; ++half)  // rows 0-7 and 8-15
    for (int i = 0; i < 4; ++i) {
      t[8 * half + i] = _mm512_shuffle_i32x4(r[8 * half + i], r[8 * half + 4 + i], 0x88);
      t[8 * half + 4 + i] = _mm512_shuffle_i32x4(r[8 * half + i], r[8 * half + 4 + i], 0xdd);
    }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_si512(to + i * to_stride, _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88));
    _mm512_storeu_si512(to + (8 + i) * to_stride, _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd));
    _mm512_storeu_si512(to + (4 + i) * to_stride, _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88));
    _mm512_storeu_si512(to + (12 + i) * to_stride, _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd));
  }
}
#endif

template <class Word>
inline void transpose(std::int64_t rows, std::int64_t columns, const Word* from, std::int64_t from_stride,
                      Word* to, std::int64_t to_stride) {
  static_assert(sizeof(Word) == 4);
#ifdef __AVX512F__
  for (std::int64_t r = 0; r < rows; r += 16)
    for (std::int64_t c = 0; c < columns; c += 16)
      transpose_tile(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
#else
  for (std::int64_t c = 0; c < columns; ++c)
    for (std::int64_t r = 0; r < rows; ++r) to[c * to_stride + r] = from[r * from_stride + c];
#endif
}

}  // namespace diffusion::DIFFUSION_ISA
