#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <diffusion/image.h>

namespace diffusion {

bool is_jpeg(std::span<const std::byte> bytes);

// Gray, color, and CMYK, which becomes RGB. In the rest like read_image() (diffusion/picture_files.h);
// `source_name` is for messages.
Image decode_jpeg(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace diffusion
