#pragma once

// Fidelity and coverage told apart, by balls around the images of a set that reach to their k-th nearest
// neighbor in it.
//   precision  share of generated images in a ball of a real one        (Kynkaanniemi et al. 2019, arXiv
//              1904.06991)
//   recall     share of real images in a ball of a generated one
//   density    real balls that a generated image is in, on average, divided by k   (Naeem et al. 2020, arXiv
//              2002.09797)
//   coverage   share of real images whose ball has a generated image in it
// Two halves of one set give about 0.9 for precision and recall at k = 3, 1 for density, and for coverage at
// k = 5 about 0.97.

#include <cstdint>

#include "eval/bootstrap.h"
#include "eval/features.h"

namespace diffusion {

struct PrdcOptions {
  int precision_k = 3;  // of precision and recall
  int density_k = 5;    // of density and coverage
};

// What each image adds; the scores are the means.
struct ImageScores {
  std::vector<double> precision, density;  // [generated]
  std::vector<double> recall, coverage;    // [real]
};

// O(count^2 width), three times. Each set needs more rows than the larger k: Error(usage).
ImageScores score_images(const FeatureSet& generated, const FeatureSet& real,
                         const PrdcOptions& options = {});

struct Prdc {
  Score precision, recall, density, coverage;
};

// With the interval of each mean over the images that it is a mean of; the balls stay.
Prdc summarize(const ImageScores& scores, int resamples, std::uint64_t seed);

}  // namespace diffusion
