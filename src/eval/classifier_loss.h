#pragma once

// A classifier as attacks see it: its logits, and the gradient of its loss with respect to the picture.

#include <cstdint>
#include <span>
#include <vector>

#include "eval/classifier.h"
#include "plan/plan.h"

namespace diffusion {

class ClassifierLoss {
 public:
  // For at most `most` pictures at a time. `classifier` and `device` must outlive this.
  ClassifierLoss(const Classifier& classifier, const Device& device, int most);

  // The predicted classes of pictures in [-1, 1], [N, C, H, W].
  std::vector<int> predict(std::span<const double> pictures);

  // The cross-entropy of each picture with its label; `gradient`, [N, C, H, W], is that of their sum. What it
  // says of a picture does not depend on the others. Error(usage) for labels that are not classes.
  void evaluate(std::span<const double> pictures, std::span<const int> labels, std::span<double> losses,
                std::span<double> gradient);

  std::size_t picture_size() const { return picture_size_; }

 private:
  void forward(std::span<const double> pictures);
  std::span<const float> logits(std::size_t k) const;

  ClassifierGraph net_;
  Plan plan_;
  std::size_t picture_size_, classes_, pixels_;
  std::vector<float> pictures_, maps_, logits_, map_gradient_;
  std::vector<double> gradient_;
};

}  // namespace diffusion
