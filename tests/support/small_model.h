#pragma once

// A model of small gray pictures with random weights, and such pictures, for tests of what is done with
// models; implemented in small_model_test.cpp.

#include <vector>

#include <diffusion/image.h>
#include "diffusion/model.h"

namespace diffusion::fixtures {

inline constexpr int kSmallPictureSide = 8;

struct SmallModel {
  int classes = 0;                 // and with some "none"
  std::vector<int> channels = {};  // of each resolution; none: those of the preset "tiny"
  bool attention = false;          // where there are channels
};
Model small_model(const SmallModel& options);

// [8, 8, 1], another for each number.
Image small_picture(int number);

}  // namespace diffusion::fixtures
