#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "pictures/image.h"

namespace diffusion {

// Reads PNG, JPEG, TIFF or WebP, told apart by content; what of each is in pictures/png.h, jpeg.h, tiff.h and
// webp.h. The picture is turned as its EXIF orientation says; gamma and color profiles are ignored.
// Error(bad_input) naming the file for another format (how to convert it, if we know the format), for
// anything corrupt or cut off, and for more than kMaxPixels, found before memory is taken.
Image read_image(const std::filesystem::path& path);

// The same for a file that is in memory, say a member of an archive; `source_name` is for messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace diffusion
