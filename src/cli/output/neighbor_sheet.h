#pragma once

// The picture of `diffusion eval --neighbors`: samples, each with the training images that are nearest to it.

#include <string>

#include <diffusion/dataset.h>
#include <diffusion/image.h>
#include "eval/memorization.h"
#include "eval/nearest.h"

namespace diffusion {

struct NeighborSheet {
  const Dataset& samples;
  const Dataset& searched;  // what the neighbors are of
  const Neighbors& pixels;  // of each sample
  const Neighbors& features;
  std::string headline;
};

// A row for each of samples_to_show(): the sample, its neighbors in pixels, and those in features, with the
// distances below.
Image draw_neighbors(const NeighborSheet& sheet);

}  // namespace diffusion
