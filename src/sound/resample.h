#pragma once

#include <span>
#include <vector>

namespace diffusion {

// The same sound with `to` samples a second in place of `from`: ceil(n to / from) of them. A sinc of 32 zero
// crossings to each side in a Kaiser window, cut off at 95% of the lower of the two limits (Smith, "Digital
// audio resampling"); frequencies above that are damped by 80 dB. As they are if the rates are equal.
std::vector<float> resampled(std::span<const float> samples, int from, int to);

}  // namespace diffusion
