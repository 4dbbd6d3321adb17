#pragma once

// What npy.cpp, npy_numbers.cpp and npy_writer.cpp know of the .npy format, version 1.0.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

inline constexpr std::string_view kNpyMagic("\x93NUMPY\x01\x00", 8);  // with the version
inline constexpr std::size_t kNpyPreamble = 10;                       // magic and 16-bit header length
inline constexpr std::size_t kNpyAlignment = 64;
inline constexpr std::size_t kNpyMaxRank = 32;
inline constexpr std::string_view kNpyFloat32 = "<f4", kNpyFloat64 = "<f8", kNpyUint8 = "|u1";

// The number of elements, or nothing if a size is negative or the product overflows.
std::optional<std::size_t> npy_elements(std::span<const std::int64_t> dims);

// A file whose header and size are right.
struct NpyFile {
  std::vector<std::byte> bytes;  // of all of it
  std::string descr;             // the type of the elements
  std::vector<std::int64_t> dims;
  std::size_t elements, first;  // how many, and the byte where they begin
};

// Error(bad_input) as read_npy_float32(). `accepted`: types of elements; all have the size in bytes that
// their last character is.
NpyFile read_npy_file(const std::filesystem::path& path, std::span<const std::string_view> accepted);

}  // namespace diffusion
