#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "diffusion/precondition.h"
#include "train/consistency.h"
#include "train/training_batch.h"

namespace diffusion {

// The other evaluation of a step of consistency tuning: what the network sees at the lower level r, and what
// its answer makes of the batch at t.
class ConsistencyBatch {
 public:
  // References must outlive this.
  ConsistencyBatch(const ConsistencyTuning& tuning, const Preconditioner& preconditioner)
      : tuning_(tuning), preconditioner_(preconditioner) {}

  // Chooses r for every example of `batch`, whose targets are those of denoising, and sets the batch's
  // weights to 1 / (t - r).
  void make(TrainingBatch& batch, double progress);

  // The network's inputs at r, [N, C, H, W] and [N]. Where r is 0 they mean nothing, but are in range.
  std::span<const float> input() const { return input_; }
  std::span<const float> timesteps() const { return timesteps_; }

  // `output` is what the network answered for the examples from `first` on. Their targets become those that
  // make D(x_t; t) = D(x_r; r); where r is 0, they stay.
  void set_targets(std::size_t first, std::span<const float> output, TrainingBatch& batch) const;

  // |c_out| at t: what an error of the network's output is as an error of D.
  std::span<const double> error_scale() const { return error_scale_; }

 private:
  const ConsistencyTuning& tuning_;
  const Preconditioner& preconditioner_;
  std::vector<float> input_, timesteps_;
  std::vector<double> lower_, error_scale_;
};

}  // namespace diffusion
