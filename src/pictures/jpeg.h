#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "pictures/image.h"

namespace diffusion {

bool is_jpeg(std::span<const std::byte> bytes);

// Gray, color, and CMYK, which becomes RGB. In the rest like read_image() (pictures/read_image.h);
// `source_name` is for messages.
Image decode_jpeg(std::span<const std::byte> bytes, const std::string& source_name);

// Baseline JPEG, colors at half resolution. Error(usage) for alpha, which JPEG does not have (see
// to_channels() in pictures/resize.h), for sides over 65,500 pixels, and for a quality outside 1 (smallest)
// to 100.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);
void write_jpeg(const std::filesystem::path& path, const Image& image, int quality);  // atomic

}  // namespace diffusion
