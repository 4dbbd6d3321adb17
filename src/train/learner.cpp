#include "train/learner.h"

#include <cmath>

namespace diffusion {

bool LearnedStep::finite() const {
  return std::isfinite(loss) && std::isfinite(gradient_norm);
}

Learner::Learner(LearnedParams& params, const Device& device, const LearnerOptions& options,
                 const Communicator& communicator)
    : options_(options),
      communicator_(communicator),
      params_(params),
      units_(options.sums_units ? units_of(params.layout())
                                : std::vector<ParamRange>{{0, params.layout().block_size()}}),
      owned_(shares_of(units_, communicator.size())),
      optimizer_(params, device, options.optimizer, owned_[std::size_t(communicator.rank())]) {}

// Of the sum over all parts.
double Learner::gradient_norm() {
  const ParamRange& mine = owned_[std::size_t(communicator_.rank())];
  std::vector<double> sums(units_.size());  // those of others stay 0
  for (std::size_t u = 0; u < units_.size(); ++u)
    if (units_[u].begin >= mine.begin && units_[u].end <= mine.end)
      sums[u] = optimizer_.sum_of_squares(units_[u]);
  const std::vector<double> all = communicator_.gather(sums);
  double total = 0;
  for (std::size_t u = 0; u < units_.size(); ++u)
    for (std::size_t k = u; k < all.size(); k += units_.size()) total += all[k];
  return std::sqrt(total);
}

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
  result.gradient_norm = gradient_norm() * average;
  if (!result.finite()) return result;
  const bool clips = options_.clip > 0 && result.gradient_norm > options_.clip;
  const double clipped = clips ? options_.clip / result.gradient_norm : 1;
  const std::int64_t number = step + 1;  // of the update, from 1
  optimizer_.update(number, learning_rate, average * clipped,
                    options_.ema_exponent ? ema_decay(*options_.ema_exponent, number) : 0.0);
  communicator_.gather_owned(params_.queue(), params_.values(), owned_);
  return result;
}

double ema_decay(double exponent, std::int64_t step) {
  return std::pow(1 - 1 / double(step), exponent + 1);
}

}  // namespace diffusion
