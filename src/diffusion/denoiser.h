#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "device/device.h"
#include "diffusion/evaluator.h"
#include "diffusion/model.h"
#include "diffusion/samplers.h"

namespace diffusion {

// D(x; sigma) of a model as samplers know it: one noise level for all images of a batch, of which the size
// is always the same. Not thread-safe.
class NetworkDenoiser {
 public:
  // `model` and `device` must outlive this.
  NetworkDenoiser(const Model& model, const Device& device, int batch, int height, int width)
      : model_(model), evaluator_(model, device, batch, height, width), batch_(std::size_t(batch)) {}

  // One label per image; the model's null class means unconditional. Models without classes take none.
  void set_labels(std::span<const int> labels) { conditions_ = class_labels(model_, labels); }

  // x and denoised: [batch, C, H, W].
  void denoise(std::span<const double> x, double sigma, std::span<double> denoised);

  // What the network is told at these sigmas instead of what the preconditioner says.
  void set_levels(NoiseLevels levels) { levels_ = std::move(levels); }

  // As a function for samplers, for these labels. Refers to this object.
  Denoiser with_labels(std::vector<int> labels);

 private:
  const Model& model_;
  Evaluator evaluator_;
  std::size_t batch_;
  Conditions conditions_;
  NoiseLevels levels_{{}, {}, 0};
};

}  // namespace diffusion
