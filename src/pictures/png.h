#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "pictures/image.h"

namespace diffusion {

bool is_png(std::span<const std::byte> bytes);

// See read_image(); `source_name` is for messages.
Image decode_png(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace diffusion
