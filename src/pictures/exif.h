#pragma once

#include <cstddef>
#include <span>

#include <diffusion/image.h>

namespace diffusion {

// How a camera was held: the EXIF tag Orientation (274), 1 to 8. `exif` is the content of a PNG's eXIf chunk
// or of a JPEG's APP1 segment, with or without "Exif\0\0" in front. 1, as it is, for anything absent or
// broken.
int exif_orientation(std::span<const std::byte> exif) noexcept;

// The picture upright. By orientation: 1 as it is, 2 mirrored left to right, 3 turned by 180 degrees, 4
// mirrored top to bottom, 5 mirrored at the main diagonal, 6 turned by 90 degrees clockwise, 7 mirrored at
// the other diagonal, 8 turned by 90 degrees counterclockwise. Error(usage) for another number.
Image orient(Image image, int orientation);

}  // namespace diffusion
