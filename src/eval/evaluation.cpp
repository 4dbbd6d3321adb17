#include "eval/evaluation.h"

namespace diffusion {

Evaluation evaluate(const FeatureSet& generated, const FeatureSet& real, const EvaluationOptions& options) {
  constexpr int kWide = 512;
  const int resamples = real.width > kWide ? options.wide_resamples : options.resamples;
  return {generated.count, real.count, bootstrap_frechet(generated, real, resamples, options.seed),
          kernel_distance(generated, real, options.kid, options.seed),
          summarize(score_images(generated, real, options.prdc), options.resamples, options.seed)};
}

}  // namespace diffusion
