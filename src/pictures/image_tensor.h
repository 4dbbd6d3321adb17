#pragma once

#include <span>
#include <vector>

#include "pictures/image.h"

namespace diffusion {

// Between pictures, [H, W, C] in 8 bits, and what networks compute with, [C, H, W].

// pixel / 255: [C, H, W] in [0, 1].
std::vector<float> to_tensor(const Image& image);

// 2 t - 1, [0, 1] to [-1, 1].
std::vector<float> scale_to_signed(std::vector<float> tensor);

// The way back: x [C, H, W], [-1, 1] to pixels, rounded, and clamped to [0, 255] because x of a noisy picture
// goes beyond. Any number of channels. Error(usage) if x has another size, Error(non_finite) for NaN.
Image to_image(std::span<const double> x, int channels, int height, int width);
Image to_image(std::span<const float> x, int channels, int height, int width);

}  // namespace diffusion
