#pragma once

#include <cstdint>

namespace diffusion {

// IEEE 754 binary16. Rounding is to nearest, ties to even; from 65520 on the result is infinity; NaN stays
// NaN.
std::uint16_t to_f16(float value);
float from_f16(std::uint16_t bits);

}  // namespace diffusion
