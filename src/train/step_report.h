#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace diffusion {

// The loss of the averaged weights (EMA) on images that training never sees (held_out.h), in units of the
// training loss.
struct HeldOutLoss {
  double loss;                   // the mean over all noise levels of training
  std::vector<double> sigma;     // ascending; between sigma[k] and sigma[k + 1] ...
  std::vector<double> by_sigma;  // ... the loss is by_sigma[k]
};

// What one finished step tells.
struct StepReport {
  std::int64_t step;          // from 1
  double progress;            // share of the run that is done
  double loss, loss_average;  // the average over about the last 50 steps
  double learning_rate, gradient_norm;
  double images_per_second;                  // of this step
  double seconds;                            // of the whole run
  std::optional<HeldOutLoss> held_out = {};  // only after the steps at which it was measured
};

}  // namespace diffusion
