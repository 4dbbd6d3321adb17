#pragma once

#include <cstdint>
#include <string>

#include <diffusion/image.h>

namespace diffusion {

// Throws Error(usage) unless sizes are positive, channels 1 to 4, and `pixels` of the right size.
void check_image(const Image& image);

// For decoders: throws Error(bad_input) if a picture of that size has more than kMaxPixels.
void check_pixel_count(std::int64_t width, std::int64_t height, const std::string& source_name);

}  // namespace diffusion
