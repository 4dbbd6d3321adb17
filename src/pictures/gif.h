#pragma once

#include <filesystem>
#include <span>

#include "pictures/image.h"

namespace diffusion {

// Writes an animation that loops forever; atomic. All frames have one size and 1 (gray) or 3 (RGB) channels.
// Gray values are kept exactly; RGB frames share a palette of 256 colors (exact if no more occur, otherwise
// found by median cut, with Floyd-Steinberg error diffusion). GIF counts time in 1/100 s: delays, 0 to
// 655,350 ms, are rounded to it. The last frame is shown for `last_delay_ms`. Error(usage) for anything else.
void write_gif(const std::filesystem::path& path, std::span<const Image> frames, int delay_ms,
               int last_delay_ms);

}  // namespace diffusion
