#pragma once

#include <optional>
#include <span>
#include <vector>

#include <diffusion/generate.h>
#include "device/device.h"
#include "diffusion/generate_request.h"
#include "diffusion/guided_estimate.h"
#include "diffusion/network_evaluator.h"

namespace diffusion {

// D(x; sigma) of a batch of images that a call asks for, as its recipe has it (guidance, limit), and products
// with its Jacobian: what methods that are functions from D to D are made of.
class BatchDenoiser {
 public:
  // For `most` images at a time. Everything that is handed over must outlive this. Error(usage) for products
  // with another model as a guide or with Guidance::rescale.
  BatchDenoiser(const Model& model, const Device& device, const GenerateOptions& options,
                const PreparedRecipe& prepared, int most,
                NetworkEvaluator::Use use = NetworkEvaluator::Use::values);

  // From now on the images are `count` from number `first`, as their seed counts them.
  void begin(int first, int count);

  // x and denoised: [count, C, H, W].
  void denoise(std::span<const double> x, double sigma, std::span<double> denoised);

  // product = probe^T dD/dx, [count, C, H, W], of what denoise() was asked last, the same x and sigma. Where
  // the limit changed D, its derivative is taken as 0. Costs a backward pass where the last denoise() was one
  // call of the network and no product has been taken since, else a forward more.
  void product(std::span<const double> x, double sigma, std::span<const double> probe,
               std::span<double> product);

 private:
  const Model& model_;
  const GenerateOptions& options_;
  const PreparedRecipe& prepared_;
  std::size_t most_;
  NetworkEvaluator evaluator_;
  std::optional<NetworkEvaluator> guide_;
  std::optional<GuidedEstimate> estimate_;
  Rows rows_, guide_rows_;
  std::vector<double> denoised_, guide_denoised_, probes_, products_;
  std::vector<bool> limited_;  // of the last estimate, where products need it
  bool with_products_;
  bool has_activations_ = false;  // those of the last denoise() are still in the evaluator
};

}  // namespace diffusion
