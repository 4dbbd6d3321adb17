#pragma once

#include "io/image.h"

namespace diffusion {

// Changes of size and form of pictures. Arguments that make no picture (sizes below 1, more than kMaxPixels, data that
// contradict the size) are Error(usage).

// A pixel is the mean of the area that it covers where the picture shrinks, and linear between pixel centers where it
// grows; each direction on its own.
Image resize(const Image& image, int width, int height);

// The picture with its shorter side resized to `size`, and the middle size x size of that.
Image center_square(const Image& image, int size);

// Each pixel `scale` x `scale` times: for showing small pictures.
Image enlarge(const Image& image, int scale);

// Gray or RGB: alpha is composited on white.
Image on_white(const Image& image);

}  // namespace diffusion
