#pragma once

// Pictures in files. Every file is written atomically: under its name there is never a part of a picture.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>

namespace diffusion {

// Reads PNG, JPEG, TIFF or WebP, told apart by content; docs/data.md has what of each. The picture is turned
// as its EXIF orientation says; gamma and color profiles are ignored. Error(bad_input) naming the file for
// another format (how to convert it, if we know the format), for anything corrupt or cut off, and for more
// than kMaxPixels, found before memory is taken.
Image read_image(const std::filesystem::path& path);

// The same for a file that is in memory, say a member of an archive; `source_name` is for messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& source_name);

// PNG. Error(usage) if the sizes in `image` contradict each other.
std::vector<std::byte> encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);

// Baseline JPEG, colors at half resolution. Error(usage) for alpha, which JPEG does not have, for sides over
// 65,500 pixels, and for a quality outside 1 (smallest) to 100.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);
void write_jpeg(const std::filesystem::path& path, const Image& image, int quality);

// An animated GIF that loops forever. All frames have one size and 1 (gray) or 3 (RGB) channels. Gray values
// are kept exactly; RGB frames share a palette of 256 colors (exact if no more occur, otherwise found by
// median cut, with Floyd-Steinberg error diffusion). GIF counts time in 1/100 s: delays, 0 to 655,350 ms, are
// rounded to it. The last frame is shown for `last_delay_ms`. Error(usage) for anything else.
void write_gif(const std::filesystem::path& path, std::span<const Image> frames, int delay_ms,
               int last_delay_ms);

}  // namespace diffusion
