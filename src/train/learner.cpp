#include "train/learner.h"

#include <cmath>

namespace diffusion {

bool LearnedStep::finite() const {
  return std::isfinite(loss) && std::isfinite(gradient_norm);
}

Learner::Learner(LearnedParams& params, const Device& device, const LearnerOptions& options)
    : options_(options), params_(params), optimizer_(params, device, options.optimizer) {}

LearnedStep Learner::step(Task& task, std::int64_t step, double learning_rate, double progress) {
  task.make(std::uint32_t(step), {0, task.batch()}, progress);
  params_.zero_grads();

  LearnedStep result;
  const int in_part = task.batch() / options_.parts;
  for (int part = 0; part < options_.parts; ++part) {
    const SampleRange range{part * in_part, in_part};
    const RunContext context{options_.seed, std::uint32_t(step), std::uint32_t(range.first)};
    result.loss += task.loss(range, context) / options_.parts;
    if (!result.finite()) return result;
    task.backward(context);
  }

  const double average = 1.0 / options_.parts;
  result.gradient_norm = optimizer_.gradient_norm() * average;
  if (!result.finite()) return result;
  const bool clips = options_.clip > 0 && result.gradient_norm > options_.clip;
  const double clipped = clips ? options_.clip / result.gradient_norm : 1;
  const std::int64_t number = step + 1;  // of the update, from 1
  optimizer_.update(number, learning_rate, average * clipped,
                    options_.ema_exponent ? ema_decay(*options_.ema_exponent, number) : 0.0);
  return result;
}

double ema_decay(double exponent, std::int64_t step) {
  return std::pow(1 - 1 / double(step), exponent + 1);
}

}  // namespace diffusion
