#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "device/device.h"
#include "diffusion/model.h"
#include "diffusion/samplers.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {

// D(x; sigma) of a model on a device, for batches of one size: the place where double-precision maths meets
// the network's precision. Not thread-safe.
class NetworkDenoiser {
 public:
  // `model` and its parameters must outlive this.
  NetworkDenoiser(Model& model, const Device& device, int batch, int height, int width);

  // One label per image; the model's null class means unconditional. Models without classes take none.
  void set_labels(std::span<const int> labels);

  // x and denoised: [batch, C, H, W].
  void denoise(std::span<const double> x, double sigma, std::span<double> denoised);

  // What the network is told at these sigmas instead of what the preconditioner says.
  void set_levels(NoiseLevels levels) { levels_ = std::move(levels); }

  // As a function for samplers, for these labels. Refers to this object.
  Denoiser with_labels(std::vector<int> labels);

 private:
  Model& model_;
  Network net_;
  Plan plan_;
  NoiseLevels levels_{{}, {}, 0};
  std::vector<float> input_, network_output_, timesteps_;
};

}  // namespace diffusion
