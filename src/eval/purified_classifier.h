#pragma once

// A classifier that sees pictures after their purification, as those see it who attack it.

#include <cstdint>
#include <span>
#include <vector>

#include "diffusion/purification.h"
#include "eval/attack.h"
#include "eval/classifier_loss.h"

namespace diffusion {

class PurifiedClassifier {
 public:
  // For `purify.sampling.batch` pictures at a time. Classifier, model and device must outlive this.
  PurifiedClassifier(const Classifier& classifier, const Model& model, const PurifyOptions& purify,
                     const Device& device, NetworkEvaluator::Use use);

  // The predicted classes of pictures as `numbers`, [N], of the seed purify them.
  std::vector<int> predict(std::span<const double> x, std::span<const int> numbers, std::uint64_t seed);

  // How the derivative of the purification is taken: as it is, or as that of the identity.
  enum class Derivative { exact, identity };

  // The loss of each of the pictures, with `x` in the place of theirs, and its gradient: means over
  // purifications with these seeds.
  void evaluate(std::span<const double> x, const AttackedPictures& pictures,
                std::span<const std::uint64_t> seeds, Derivative derivative, std::span<double> losses,
                std::span<double> gradient);

  ClassifierLoss& alone() { return loss_; }
  const Purification& purification() const { return purification_; }

 private:
  ClassifierLoss loss_;
  Purification purification_;
  std::vector<double> clean_, of_clean_, of_x_, losses_;
};

}  // namespace diffusion
