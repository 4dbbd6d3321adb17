#pragma once

// Purification as a function of the picture's numbers, and its derivative.

#include <cstdint>
#include <span>
#include <vector>

#include <diffusion/purify.h>
#include "diffusion/batch_denoiser.h"
#include "diffusion/samplers.h"
#include "diffusion/samplers/linear_form.h"

namespace diffusion {

class Purification {
 public:
  // For at most `options.sampling.batch` pictures at a time. Model and device must outlive this. Errors as of
  // purify(), and with Use::products for recipes that have no derivative.
  Purification(const Model& model, const Device& device, const PurifyOptions& options,
               NetworkEvaluator::Use use);

  // clean, [N, C, H, W], is what pictures in [-1, 1] come to. `numbers`: which image of the seed each is,
  // whose noise it gets.
  void run(std::span<const double> pictures, std::span<const int> numbers, std::uint64_t seed,
           std::span<double> clean, const StepCallback& on_step = {});

  // product = probe^T dclean/dpictures of what run() did last, with the same noise, [N, C, H, W]. It keeps
  // the state of every evaluation, and evaluates each but the last again for its product, so the memory is
  // that of one evaluation however many steps there are.
  void product(std::span<const double> probe, std::span<double> product);

  const PictureSize& size() const { return size_; }
  int batch() const { return options_.sampling.batch; }
  int evaluations() const { return evaluations_; }  // of the network for a picture

 private:
  PurifyOptions options_;
  PictureSize size_;
  PreparedRecipe prepared_;
  BatchDenoiser denoiser_;
  LinearForm form_;  // with products
  int evaluations_;
  std::vector<std::vector<double>> states_;  // x of each question of the last run, with products
};

}  // namespace diffusion
