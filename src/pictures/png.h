#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <diffusion/image.h>

namespace diffusion {

bool is_png(std::span<const std::byte> bytes);

// Every bit depth and color type; 16 bits are rounded to 8. The chunk eXIf is followed. In the rest like
// read_image() (diffusion/picture_files.h); `source_name` is for messages.
Image decode_png(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace diffusion
