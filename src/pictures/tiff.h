#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <diffusion/image.h>

namespace diffusion {

bool is_tiff(std::span<const std::byte> bytes);  // BigTIFF too

// The first picture of a TIFF file: gray (either polarity) or palette of 1, 2, 4, 8 or 16 bits, RGB of 8 or
// 16 bits, and YCbCr inside JPEG compression; in strips or tiles, channels together or in planes; not
// compressed or by LZW, Deflate, PackBits, JPEG or CCITT. 16 bits are rounded to 8. Alpha is kept,
// premultiplied alpha undone; other extra channels are dropped. The tag Orientation is honored.
// Error(bad_input) that names the file, what was found and what is accepted for everything else. Like
// read_image() (diffusion/picture_files.h) in the rest; without the build option DIFFUSION_TIFF always
// Error(bad_input).
Image decode_tiff(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace diffusion
