#pragma once

// What npy.cpp and npy_writer.cpp know of the .npy format, version 1.0.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace diffusion {

inline constexpr std::string_view kNpyMagic("\x93NUMPY\x01\x00", 8);  // with the version
inline constexpr std::size_t kNpyPreamble = 10;                       // magic and 16-bit header length
inline constexpr std::size_t kNpyAlignment = 64;
inline constexpr std::size_t kNpyMaxRank = 32;
inline constexpr std::string_view kNpyFloat32 = "<f4", kNpyUint8 = "|u1";

// The number of elements, or nothing if a size is negative or the product overflows.
std::optional<std::size_t> npy_elements(std::span<const std::int64_t> dims);

}  // namespace diffusion
