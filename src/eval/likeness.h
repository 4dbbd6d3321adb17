#pragma once

// How like its original a picture is, pixel by pixel.

#include <diffusion/image.h>

namespace diffusion {

// Peak signal to noise ratio in dB, 10 log10(255^2 / mean squared difference); 120 where it would be more, as
// of equal pictures. Error(usage) for pictures of different forms.
double peak_signal_to_noise(const Image& a, const Image& b);

// Structural similarity (Wang et al. 2004, IEEE Transactions on Image Processing 13:600): 1 for equal
// pictures. Means over all windows of 11 x 11 pixels that are inside, Gaussian weights of 1.5 pixels, and
// over channels. Error(usage) for different forms, and for sides below 11.
double structural_similarity(const Image& a, const Image& b);

}  // namespace diffusion
