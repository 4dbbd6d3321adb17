#pragma once

// Weights as files have them: rows of numbers, any of which becomes a vector of floats.

#include "device/cpu/kernels/simd.h"
#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA {

// IEEE 754 binary16.
struct f16 {
  std::uint16_t bits;
};

// Exact, subnormal numbers and infinity included.
inline Vec load(const f16* p) {
#ifdef __AVX512F__
  const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return bits_of<Vec>(_mm512_cvtph_ps(h));
#else
  HalfVec h;
  std::memcpy(&h, p, sizeof h);
  const BitVec b = __builtin_convertvector(h, BitVec);
  // The exponent's bias is 15 and not 127; the product also makes subnormal numbers normal.
  const Vec magnitude = bits_of<Vec>((b & 0x7fff) << 13) * splat(0x1p112f);
  const BitVec ends = (b & 0x7c00) == 0x7c00 ? BitVec{} + 0x7f800000u : BitVec{};
  return bits_of<Vec>(bits_of<BitVec>(magnitude) | ends | (b & 0x8000) << 16);
#endif
}

inline float load_one(const f16* p) {
  f16 lanes[kLanes] = {};
  lanes[0] = *p;
  return load(lanes)[0];
}

// Calls body(pointer to the numbers).
template <class Body>
inline void with_stored(const StoredWeight& weight, Body body) {
  switch (weight.type) {
    case WeightType::f32:
      return body(static_cast<const float*>(weight.data));
    case WeightType::bf16:
      return body(static_cast<const bf16*>(weight.data));
    case WeightType::f16:
      return body(static_cast<const f16*>(weight.data));
  }
}

// Numbers as floats; `count` of any size.
template <class T>
inline void widen_row(const T* from, std::int64_t count, float* to) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  for (; i < count; ++i) to[i] = load_one(from + i);
}

}  // namespace diffusion::DIFFUSION_ISA
