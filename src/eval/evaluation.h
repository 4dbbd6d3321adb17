#pragma once

#include <cstdint>

#include <diffusion/evaluate.h>
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

Evaluation evaluate(const FeatureSet& generated, const FeatureSet& real,
                    const EvaluationOptions& options = {});

}  // namespace diffusion
