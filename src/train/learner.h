#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "train/communicator.h"
#include "train/optimizer.h"
#include "train/task.h"

namespace diffusion {

struct LearnerOptions {
  OptimizerOptions optimizer = {};
  bool sums_units = false;  // of the squares of gradients, so that processes can share them; other bits
  int parts = 1;    // in which a batch is computed, one after the other, to save memory; divides the batch
  double clip = 0;  // largest gradient norm; 0: no limit
  std::optional<double> ema_exponent = {};  // see ema_decay(); none: the average is the values themselves
  std::uint64_t seed = 0;                   // of dropout
};

// What a step did.
struct LearnedStep {
  double loss = 0;           // the mean over the batch
  double gradient_norm = 0;  // before clipping; not computed if the loss is not finite

  // Whether the parameters were updated: only if both are finite numbers.
  bool finite() const;
};

// One step of training after another: the loss of a task and its gradient, part by part; clipping, optimizer,
// and the moving average (EMA) of the parameters. Knows neither files nor clocks.
class Learner {
 public:
  // References must outlive this; `params` are learned on `device`, and their average starts with them. Each
  // of several processes updates its share of them, and has the moments and the average of this share alone.
  Learner(LearnedParams& params, const Device& device, const LearnerOptions& options,
          const Communicator& communicator = {});

  // Step number `step`, from 0 (Algorithm 1 of Ho et al. 2020). `progress` is the share of the run that is
  // done. A loss or gradient that is not finite changes nothing.
  LearnedStep step(Task& task, std::int64_t step, double learning_rate, double progress);

  // The average, moments, and with them all that a checkpoint must hold besides the parameters.
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }
  // The numbers of the parameters that each process updates.
  std::span<const ParamRange> owned() const { return owned_; }

 private:
  double gradient_norm();

  LearnerOptions options_;
  Communicator communicator_;
  LearnedParams& params_;
  std::vector<ParamRange> units_, owned_;
  Optimizer optimizer_;
};

// Power-function average (Karras et al. 2024, "Analyzing and improving the training dynamics of diffusion
// models"): decay at step k (from 1) is (1 - 1/k)^(exponent + 1), so the average always covers the same share
// of the run, however long; 6.94 is a relative width of 0.1.
double ema_decay(double exponent, std::int64_t step);

}  // namespace diffusion
