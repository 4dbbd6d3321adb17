#pragma once

// Whether a model repeats its training images. Test images are as near to training images as images get that
// nobody copied; samples that come nearer are suspects.

#include <span>
#include <vector>

#include "eval/nearest.h"

namespace diffusion {

// Of distances to the nearest training image.
inline constexpr double kSuspectQuantile = 0.001;

struct Memorization {
  double test_quantile = 0;  // kSuspectQuantile of the distances of test images
  double closest = 0;        // the smallest distance of a sample
  int nearer = 0;            // samples with a distance below test_quantile
  double share_nearer =
      0;  // of all samples; about kSuspectQuantile for one that is drawn like the test images
  double median = 0,
         test_median = 0;  // of the distances: a model that copies inexactly, but often, has the smaller one
};

// From the distance of each sample and each test image to its nearest training image. Error(usage) for none
// of either.
Memorization memorization(std::span<const double> samples, std::span<const double> test);

// Samples to look at, each in one list only.
struct ShownSamples {
  std::vector<int> closest_in_pixels,
      closest_in_features;   // the four nearest to a training image, nearest first
  std::vector<int> typical;  // eight of the others, evenly spaced in their order by distance in pixels
};

// From the neighbors of the same samples in pixels and in features. Fewer where there are fewer samples.
ShownSamples samples_to_show(const Neighbors& pixels, const Neighbors& features);

}  // namespace diffusion
