#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <diffusion/image.h>

namespace diffusion {

bool is_webp(std::span<const std::byte> bytes);

// Lossy or lossless, RGB or RGB + alpha: WebP has no gray. Of an animation the first frame, on a canvas that
// is transparent (black where the file has no alpha) around it. The chunk EXIF is followed. In the rest like
// read_image() (diffusion/picture_files.h); `source_name` is for messages.
Image decode_webp(std::span<const std::byte> bytes, const std::string& source_name);

}  // namespace diffusion
