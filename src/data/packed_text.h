#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace diffusion {

// The whole content of a file, unpacked if it is packed with gzip, bzip2, xz or zstd, whatever its name.
// Error(io) if it cannot be opened; Error(bad_input) naming it if it is damaged, or has more than
// `most_bytes`, found without unpacking further.
std::string read_packed_text(const std::filesystem::path& path, std::uint64_t most_bytes);

}  // namespace diffusion
