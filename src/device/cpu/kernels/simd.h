#pragma once

// Vectors of the widest kind the instruction set of this compilation has, on the compiler's vector extension.

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "graph/activation.h"

namespace diffusion::DIFFUSION_ISA {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
inline constexpr int kRegisters = 16;
#else
inline constexpr int kLanes = 4;
inline constexpr int kRegisters = 16;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef std::int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef std::uint32_t BitVec __attribute__((vector_size(kLanes * 4)));
typedef std::uint16_t HalfVec __attribute__((vector_size(kLanes * 2)));

struct bf16 {
  std::uint16_t bits;
};

template <class To, class From>
inline To bits_of(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// body(0), ..., body(n - 1) with constants. Arrays of vectors that are only indexed by them stay in
// registers; with loops GCC 12 fills and empties such arrays through memory.
template <int n, class Body>
[[gnu::always_inline]] inline void unroll(Body body) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, n>{});
}

inline Vec splat(float x) {
  return x - Vec{};
}

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vec v) {
  std::memcpy(p, &v, sizeof v);
}

inline Vec load(const bf16* p) {
#ifdef __AVX512BF16__  // GCC 12 widens a vector of 16 in two halves
  const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return bits_of<Vec>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
#else
  HalfVec h;
  std::memcpy(&h, p, sizeof h);
  return bits_of<Vec>(__builtin_convertvector(h, BitVec) << 16);
#endif
}

inline void store(bf16* p, Vec v) {
#ifdef __AVX512BF16__
  const __m256bh h = _mm512_cvtneps_pbh(bits_of<__m512>(v));
  std::memcpy(p, &h, sizeof h);
#else
  const BitVec b = bits_of<BitVec>(v);
  const BitVec rounded = (b + 0x7fff + (b >> 16 & 1)) >> 16;
  const BitVec quiet_nan = b >> 16 | 0x40;
  const HalfVec h = __builtin_convertvector(v == v ? rounded : quiet_nan, HalfVec);
  std::memcpy(p, &h, sizeof h);
#endif
}

inline float load_one(const float* p) {
  return *p;
}
inline float load_one(const bf16* p) {
  return bits_of<float>(std::uint32_t(p->bits) << 16);
}
inline void store_one(float* p, float x) {
  *p = x;
}
inline void store_one(bf16* p, float x) {
  const auto b = bits_of<std::uint32_t>(x);
  p->bits = std::uint16_t(x == x ? (b + 0x7fff + (b >> 16 & 1)) >> 16 : b >> 16 | 0x40);
}

inline Vec min(Vec a, Vec b) {
  return a < b ? a : b;
}
inline Vec max(Vec a, Vec b) {
  return a > b ? a : b;
}

inline float sum(Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

inline float largest(Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  float m = lanes[0];
  for (int i = 1; i < kLanes; ++i) m = lanes[i] > m ? lanes[i] : m;
  return m;
}

// e^x by range reduction to 2^n e^r and a polynomial; relative error below 2e-7 on [-87, 88], clamped
// outside.
inline Vec exp(Vec x) {
  x = min(max(x, splat(-87.f)), splat(88.f));
  const Vec shifter = splat(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec n = (x * splat(1.44269504f) + shifter) - shifter;
  const Vec r = (x - n * splat(0.693359375f)) + n * splat(2.12194440e-4f);
  Vec p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * (r * r) + (r + splat(1.f));
  const IntVec power = (__builtin_convertvector(n, IntVec) + 127) << 23;
  return p * bits_of<Vec>(power);
}

#ifdef __AVX512F__
inline __m512 as_m512(Vec v) {
  return bits_of<__m512>(v);
}

// x = n + r with n whole and |r| <= 1/2, and p 2^n.
inline Vec nearest_whole(Vec x) {
  return bits_of<Vec>(_mm512_roundscale_ps(as_m512(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Vec times_power(Vec p, Vec n) {
  return bits_of<Vec>(_mm512_scalef_ps(as_m512(p), as_m512(n)));
}
#endif

// 2^x, relative error below 2e-7; from 2^-126 to 2^127, where AVX-512 goes on to 0 and infinity.
inline Vec exp2(Vec x) {
#ifdef __AVX512F__
  const Vec n = nearest_whole(x);
#else
  x = x < splat(-126.f) ? splat(-126.f) : x;  // NaN stays
  x = x > splat(127.f) ? splat(127.f) : x;
  const Vec shifter = splat(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec n = (x + shifter) - shifter;
#endif
  const Vec r = x - n;
  Vec p = splat(1.327647198e-3f);
  p = p * r + splat(9.675541334e-3f);
  p = p * r + splat(5.550713274e-2f);
  p = p * r + splat(2.402211972e-1f);
  p = p * r + splat(6.931469671e-1f);
  p = p * r + splat(1.000000072f);
#ifdef __AVX512F__
  return times_power(p, n);
#else
  return p * bits_of<Vec>((__builtin_convertvector(n, IntVec) + 127) << 23);
#endif
}

inline Vec sigmoid(Vec z) {
  return splat(1.f) / (splat(1.f) + exp(-z));
}

#ifdef __AVX512BF16__
// For results that are rounded to bf16, whose relative error is 2^-9.

// 2^x, relative error below 3e-6; 0 or infinity where floats end.
inline Vec quick_exp2(Vec x) {
  const Vec n = nearest_whole(x);
  const Vec r = x - n;
  Vec p = splat(9.570101276e-3f);
  p = p * r + splat(5.591786280e-2f);
  p = p * r + splat(2.402474433e-1f);
  p = p * r + splat(6.931217909e-1f);
  p = p * r + splat(9.999992847e-1f);
  return times_power(p, n);
}

// Relative error below 7e-5.
inline Vec quick_sigmoid(Vec z) {
  return bits_of<Vec>(_mm512_rcp14_ps(as_m512(splat(1.f) + quick_exp2(z * splat(-1.44269504f)))));
}
#endif

// As good as T, the type of what is made of it, deserves.
template <class T>
inline Vec sigmoid_for(Vec z) {
#ifdef __AVX512BF16__
  if constexpr (sizeof(T) == sizeof(bf16)) return quick_sigmoid(z);
#endif
  return sigmoid(z);
}

// Standard normal distribution function and density; Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
inline Vec normal_cdf(Vec z) {
  const Vec a = (z < splat(0.f) ? -z : z) * splat(0.70710678f);
  const Vec t = splat(1.f) / (splat(1.f) + splat(0.3275911f) * a);
  Vec p = splat(1.061405429f);
  p = p * t + splat(-1.453152027f);
  p = p * t + splat(1.421413741f);
  p = p * t + splat(-0.284496736f);
  p = p * t + splat(0.254829592f);
  const Vec tail = splat(0.5f) * p * t * exp(-a * a);
  return z < splat(0.f) ? tail : splat(1.f) - tail;
}
inline Vec normal_density(Vec z) {
  return splat(0.39894228f) * exp(splat(-0.5f) * z * z);
}

// (1 + tanh(a)) / 2 is sigmoid(2a): the factor of gelu_tanh, whose 2a is z (c1 + c3 z^2).
inline constexpr float kGeluLinear = 1.5957691216f, kGeluCubic = 0.0713548162726f;
template <class T>
inline Vec gelu_tanh_factor(Vec z) {
  return sigmoid_for<T>(z * (splat(kGeluLinear) + splat(kGeluCubic) * z * z));
}

inline constexpr float kQuickGelu = 1.702f;

// tanh(softplus(z)), with e = exp(z): (e^2 + 2e) / (e^2 + 2e + 2).
inline Vec tanh_softplus(Vec z) {
  const Vec e = exp(min(z, splat(20.f)));
  const Vec q = e * (e + splat(2.f));
  return q / (q + splat(2.f));
}

// T: type of the result in memory.
template <Activation kind, class T>
inline Vec activate(Vec z) {
  if constexpr (kind == Activation::silu) return z * sigmoid_for<T>(z);
  if constexpr (kind == Activation::gelu) return z * normal_cdf(z);
  if constexpr (kind == Activation::gelu_tanh) return z * gelu_tanh_factor<T>(z);
  if constexpr (kind == Activation::quick_gelu) return z * sigmoid_for<T>(splat(kQuickGelu) * z);
  if constexpr (kind == Activation::mish) return z * tanh_softplus(z);
  if constexpr (kind == Activation::relu) return max(z, splat(0.f));
  return z;
}

template <Activation kind, class T>
inline Vec activate_slope(Vec z) {
  if constexpr (kind == Activation::silu) {
    const Vec s = sigmoid_for<T>(z);
    return s * (splat(1.f) + z * (splat(1.f) - s));
  }
  if constexpr (kind == Activation::gelu) return normal_cdf(z) + z * normal_density(z);
  if constexpr (kind == Activation::gelu_tanh) {
    const Vec s = gelu_tanh_factor<T>(z);
    return s + s * (splat(1.f) - s) * z * (splat(kGeluLinear) + splat(3.f * kGeluCubic) * z * z);
  }
  if constexpr (kind == Activation::quick_gelu) {
    const Vec s = sigmoid_for<T>(splat(kQuickGelu) * z);
    return s * (splat(1.f) + splat(kQuickGelu) * z * (splat(1.f) - s));
  }
  if constexpr (kind == Activation::mish) {
    const Vec t = tanh_softplus(z);
    return t + z * (splat(1.f) - t * t) * sigmoid_for<T>(z);
  }
  if constexpr (kind == Activation::relu) return z > splat(0.f) ? splat(1.f) : splat(0.f);
  return splat(1.f);
}

// Calls body.operator()<kind>() for a kind known only at run time.
template <class Body>
inline void with_activation(Activation kind, Body body) {
  switch (kind) {
    case Activation::none:
      return body.template operator()<Activation::none>();
    case Activation::silu:
      return body.template operator()<Activation::silu>();
    case Activation::gelu:
      return body.template operator()<Activation::gelu>();
    case Activation::gelu_tanh:
      return body.template operator()<Activation::gelu_tanh>();
    case Activation::quick_gelu:
      return body.template operator()<Activation::quick_gelu>();
    case Activation::mish:
      return body.template operator()<Activation::mish>();
    case Activation::relu:
      return body.template operator()<Activation::relu>();
  }
}

}  // namespace diffusion::DIFFUSION_ISA
