#pragma once

#include <cstdint>

#include "eval/bootstrap.h"
#include "eval/features.h"
#include "eval/kid.h"
#include "eval/prdc.h"

namespace diffusion {

struct EvaluationOptions {
  int resamples = 100;      // of each interval, but
  int wide_resamples = 10;  // of a Frechet distance of more than 512 features: 2,048 take seconds each
  KidOptions kid = {};
  PrdcOptions prdc = {};
  std::uint64_t seed = 0;
};

// How far generated images are from real ones, and in which way. Of two equal distributions the distances are
// not 0 and the shares not 1, for want of images: compare with an evaluation of real against real of the same
// counts.
struct Evaluation {
  int generated = 0, real = 0;  // images
  Score frechet, kid;
  Prdc prdc;
};

Evaluation evaluate(const FeatureSet& generated, const FeatureSet& real,
                    const EvaluationOptions& options = {});

}  // namespace diffusion
