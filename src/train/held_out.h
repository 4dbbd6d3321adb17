#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/train.h>
#include "data/batches.h"
#include "device/device.h"
#include "diffusion/model.h"
#include "train/config.h"

namespace diffusion {

// Why `images`, the test images of a data set, cannot tell how a training on `training` goes; empty: they
// can.
std::string why_not_held_out(const Dataset& training, const Dataset& images, bool conditional);

// Measures the training loss on images that training never sees: always the same images with the same noise,
// one noise level each, spread evenly over those of training. So what changes from one time to the next is
// the network. Images and noise depend on nothing but the data set, so runs of the same objective can be
// compared. Labels are never dropped.
class HeldOut {
 public:
  static constexpr int kImages = 384;  // a smaller data set shows some of its images again
  static constexpr int kBins = 6;      // of noise levels, equally probable in training

  // `config` and `preconditioner` are those of the run and must outlive this.
  HeldOut(Dataset images, const TrainConfig& config, const Preconditioner& preconditioner);

  // Whether it is time after step `step`, from 1: at every multiple of the interval, and at the end of runs
  // that are longer than one interval.
  bool is_due(std::int64_t step, bool run_ends) const;

  // `model` holds the weights to measure. NaN and infinity pass through.
  HeldOutLoss measure(const Model& model, const Device& device) const;

 private:
  Dataset images_;
  const TrainConfig& config_;
  const Preconditioner& preconditioner_;
  std::int64_t interval_;
  std::vector<double> sigmas_;  // of image k; ascending
};

// The default for TrainConfig::held_out_every: such that measuring takes 1% of the training. A training step
// takes three times as long as the evaluation of its batch.
std::int64_t held_out_interval(int batch);

}  // namespace diffusion
