#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "files/atomic_file.h"

namespace diffusion {

enum class NpyType { float32, uint8 };

// The size of a file with such an array, without its header; none of ours is larger than 2^63.
std::uint64_t npy_bytes(NpyType type, std::span<const std::int64_t> dims);

// A .npy file (formats/npy.h) that is written as its values come, and of which nothing stays in memory.
//
//   NpyWriter file("noise.npy", NpyType::float32, std::vector<std::int64_t>{1000, 1, 28, 28});
//   for (...) file.append(image);
//   file.commit();
//
// Until commit() there is no file of that name, or the one that was there before. Failures to write are
// Error(io), see files/atomic_file.h.
class NpyWriter {
 public:
  // Error(usage) for more than 32 dimensions, a negative one, and more bytes than 63 bits can count.
  NpyWriter(const std::filesystem::path& path, NpyType type, std::span<const std::int64_t> dims);

  // The next values in C order. Error(usage) for values of the other type, and for more than fit.
  void append(std::span<const float> values);
  void append(std::span<const std::uint8_t> values);

  // Error(usage) if values are missing.
  void commit();

 private:
  void append(NpyType type, std::span<const std::byte> bytes);

  std::string path_;
  NpyType type_;
  std::uint64_t missing_;  // bytes
  AtomicFile file_;
};

}  // namespace diffusion
