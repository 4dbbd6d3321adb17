#pragma once

// The denoiser as likelihoods need it: every image at a noise level of its own, and products with its
// Jacobian.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "device/device.h"
#include "diffusion/model.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {

// Writes D(x; sigma), the estimate of the clean images. x and denoised hold sigmas.size() images of equal
// size, one after the other; sigmas are positive; denoised is not x.
using LevelDenoiser = std::function<void(std::span<const double> x, std::span<const double> sigmas,
                                         std::span<double> denoised)>;

// The same, and of each image product = probe^T dD/dx, a row of numbers like x.
using JacobianDenoiser =
    std::function<void(std::span<const double> x, std::span<const double> sigmas,
                       std::span<const double> probe, std::span<double> denoised, std::span<double> product)>;

// D of a model on a device, for batches of one size. The product is exact: the backward pass of the network,
// without its weights' gradients, costs about as much as one more forward. (Central differences of D would
// take three forwards instead of these two, and lose half of the digits.) Dropout is left out. Not
// thread-safe.
class LikelihoodDenoiser {
 public:
  enum class Use { values, jacobian };

  // `model` must outlive this. Error(usage) if the network is no denoiser of a kind we know.
  LikelihoodDenoiser(Model& model, const Device& device, int batch, int height, int width, Use use);

  // One label per image, rows of the class table; models without classes take none.
  void set_labels(std::span<const int> labels);

  void denoise(std::span<const double> x, std::span<const double> sigmas, std::span<double> denoised);
  // Needs Use::jacobian.
  void denoise(std::span<const double> x, std::span<const double> sigmas, std::span<const double> probe,
               std::span<double> denoised, std::span<double> product);

 private:
  Model& model_;
  Network net_;
  Plan plan_;
  bool whole_timesteps_;
  std::size_t image_size_;
  std::vector<float> numbers_, timesteps_;
};

}  // namespace diffusion
