#pragma once

// The nearest of many images, for each of some: in pixels and in features. The matrix of all distances is
// never in memory.

#include <functional>
#include <span>
#include <vector>

#include <diffusion/dataset.h>
#include "eval/features.h"

namespace diffusion {

struct Neighbor {
  int index = 0;        // in the set that was searched
  double distance = 0;  // L2
};

struct Neighbors {
  int k = 0;
  std::vector<Neighbor>
      all;  // [count, k]; of one row the nearest first, of equally near ones the lower index

  int count() const { return int(all.size()) / k; }
  std::span<const Neighbor> of(int i) const {
    return std::span(all).subspan(std::size_t(i * k), std::size_t(k));
  }
  // The distance of each row to the nearest: [count].
  std::vector<double> nearest_distances() const;
};

// The k nearest of `among` for each of `images`. Distances are of bytes, 0 to 255, over all pixels and
// channels, and exact: candidates are found by products in f32, a few more than k, and compared anew in whole
// numbers. Error(usage) for images of different forms, for none, and unless 1 <= k <= the number of those to
// search.
Neighbors nearest_in_pixels(const Dataset& images, const Dataset& among, int k,
                            const std::function<void(double share)>& progress = {});

// The same for features, with distances in double. Errors also as check_features().
Neighbors nearest_in_features(const FeatureSet& features, const FeatureSet& among, int k);

}  // namespace diffusion
