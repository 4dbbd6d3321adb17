#include "eval/evaluation.h"

namespace diffusion {

Evaluation evaluate(const FeatureSet& generated, const FeatureSet& real, const EvaluationOptions& options) {
  return {generated.count, real.count, bootstrap_frechet(generated, real, options.resamples, options.seed),
          kernel_distance(generated, real, options.kid, options.seed),
          summarize(score_images(generated, real, options.prdc), options.resamples, options.seed)};
}

}  // namespace diffusion
