#pragma once

#include <memory>
#include <span>
#include <vector>

#include "device/device.h"
#include "diffusion/model.h"
#include "diffusion/samplers.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {

// D(x; sigma) of a model on a device, for batches of one size: the place where double-precision maths meets the
// network's precision. Not thread-safe.
class NetworkDenoiser {
 public:
  // `model` and its parameters must outlive this.
  NetworkDenoiser(Model& model, const Device& device, int batch, int height, int width);

  // One label per image; the model's null class means unconditional. Models without classes take none.
  void set_labels(std::span<const int> labels);

  // x and denoised: [batch, C, H, W]. `labels` replaces the labels of set_labels() for this call.
  void denoise(std::span<const double> x, double sigma, std::span<double> denoised);

  // As a function for samplers: with classifier-free guidance of `guidance` if that is not 1, limited to [-1, 1] if
  // the model wants it. Refers to this object. Error(usage) if guidance needs a null class that the model lacks.
  Denoiser function(double guidance);

 private:
  Model& model_;
  Network net_;
  Plan plan_;
  std::vector<int> labels_;
  std::vector<float> input_, network_output_, timesteps_;
};

}  // namespace diffusion
