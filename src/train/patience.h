#pragma once

#include <cstdint>
#include <optional>

#include "train/run_log.h"

namespace diffusion {

// When a training is to stop: the held-out loss was not smaller than its smallest in `patience` measurements.
class Patience {
 public:
  // As it is after what the log holds.
  Patience(int patience, const RunLog& log);

  // Adds a measurement. Returns whether it is the smallest so far; NaN never is.
  bool add(std::int64_t step, double loss);

  bool is_over() const { return worse_ >= patience_; }
  std::optional<double> best_loss() const { return best_loss_; }
  std::int64_t best_step() const { return best_step_; }

 private:
  int patience_, worse_ = 0;  // measurements since the smallest
  std::optional<double> best_loss_;
  std::int64_t best_step_ = 0;
};

}  // namespace diffusion
