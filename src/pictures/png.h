#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "pictures/image.h"

namespace diffusion {

bool is_png(std::span<const std::byte> bytes);

// Every bit depth and color type; 16 bits are rounded to 8. The chunk eXIf is followed. In the rest like
// read_image() (pictures/read_image.h); `source_name` is for messages.
Image decode_png(std::span<const std::byte> bytes, const std::string& source_name);

// Error(usage) if the sizes in `image` contradict each other.
std::vector<std::byte> encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);  // atomic

}  // namespace diffusion
