#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include <diffusion/dataset.h>
#include "device/device.h"
#include "eval/features.h"
#include "eval/inception_files.h"

namespace diffusion {

// Bilinear as TensorFlow 1 resizes (align_corners false), which FID was defined with: pixel (y, x) of the
// result is at (y * height / out_height, x * width / out_width) of the image, corner at corner without half
// pixels, between its four neighbors, in f32. No antialiasing. `pixels`: [height, width, channels]; `out`:
// [channels, out_height, out_width], 0 to 255.
void resize_as_tensorflow1(std::span<const std::uint8_t> pixels, int height, int width, int channels,
                           int out_height, int out_width, std::span<float> out);

// The 2048 numbers of each image, of any size, gray (three times the same channel) or RGB; Error(usage) for
// another number of channels, and for no images. Features for comparisons are to be computed in f32.
FeatureSet inception_features(InceptionNetwork& net, const Dataset& data, const Device& device,
                              const std::function<void(double share)>& progress = {});

}  // namespace diffusion
