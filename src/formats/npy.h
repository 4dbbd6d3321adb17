#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace diffusion {

// NumPy's .npy format, version 1.0, little-endian, C order, up to 32 dimensions.
template <class T>
struct NpyArray {
  std::vector<std::int64_t> dims;  // empty: one element
  std::vector<T> data;
};

// Atomic. dims that do not fit the number of values are Error(usage).
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> dims,
               std::span<const float> data);
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> dims,
               std::span<const std::uint8_t> data);

// Error(bad_input) naming file and reason for another element type, Fortran order, another version, and
// anything malformed, cut off or too long.
NpyArray<float> read_npy_float32(const std::filesystem::path& path);
NpyArray<std::uint8_t> read_npy_uint8(const std::filesystem::path& path);

}  // namespace diffusion
