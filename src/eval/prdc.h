#pragma once

// How Prdc (diffusion/evaluate.h) is computed.

#include <cstdint>
#include <vector>

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

// With the interval of each mean over the images that it is a mean of; the balls stay.
Prdc summarize(const ImageScores& scores, int resamples, std::uint64_t seed);

}  // namespace diffusion
