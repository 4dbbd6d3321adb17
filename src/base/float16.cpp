#include "base/float16.h"

#include <bit>
#include <cmath>

namespace diffusion {

namespace {

constexpr int kMantissaBits = 10;
constexpr int kDroppedBits = 23 - kMantissaBits;

}  // namespace

std::uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = std::uint16_t((bits >> 16) & 0x8000);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return std::uint16_t(sign | 0x7e00);
  if (magnitude >= 65520.0f) return std::uint16_t(sign | 0x7c00);
  if (magnitude < 0x1p-14f) {
    // Subnormal: a multiple of 2^-24. Scaling is exact and nearbyint rounds to even; 1024 carries into 2^-14.
    return std::uint16_t(sign | std::uint16_t(std::nearbyint(magnitude * 0x1p24f)));
  }
  // Half an ulp minus one, plus one if the kept part is odd; a carry moves on into the exponent, as it
  // should.
  std::uint32_t rounded = bits & 0x7fffffff;
  rounded += (1u << (kDroppedBits - 1)) - 1 + ((rounded >> kDroppedBits) & 1);
  return std::uint16_t(sign | ((rounded >> kDroppedBits) - ((127u - 15u) << kMantissaBits)));
}

float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t(bits & 0x8000) << 16;
  const std::uint32_t exponent = (bits >> kMantissaBits) & 0x1f;
  const std::uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0) {
    const float magnitude = float(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 0x1f ? 0xff : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (mantissa << kDroppedBits));
}

}  // namespace diffusion
