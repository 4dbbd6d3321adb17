#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <diffusion/dataset.h>

namespace diffusion {

// The IDX format of MNIST (LeCun, Cortes, Burges): big-endian,
//   0x00 0x00  element type (0x08 = unsigned byte)  rank  extent[0] ... extent[rank-1] as 32-bit  elements.
// Plain or packed with gzip; the content decides, not the name.
struct IdxArray {
  std::vector<std::uint32_t> extents;
  std::vector<std::uint8_t> values;
};

// More elements than this are refused; the largest set of this family in use, K-49, has 182 million.
inline constexpr std::uint64_t kMaxIdxElements = 256 * 1024 * 1024;

// Reads an array of unsigned bytes of exactly this rank. Nothing is accepted but a file that holds just what
// its header says. Throws Error(bad_input) that names the file, what was found and what is accepted;
// Error(io) if the file cannot be read. Needs memory for the elements only, and none before the header is
// believable.
IdxArray read_idx(const std::filesystem::path& path, std::uint8_t rank);

// Images [N, H, W] and labels [N] as one gray data set. A label must be less than class_names.size(); with no
// class names given, the classes are named "0", "1", ... up to the largest label. Errors as read_idx().
Dataset read_idx_pair(const std::filesystem::path& images, const std::filesystem::path& labels,
                      const std::string& name, std::span<const std::string> class_names);

}  // namespace diffusion
