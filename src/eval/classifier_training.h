#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <diffusion/dataset.h>
#include "data/batches.h"
#include "eval/classifier.h"
#include "eval/picture_views.h"
#include "plan/plan.h"
#include "train/task.h"

namespace diffusion {

struct ClassifierTraining {
  double epochs = 12;
  int batch = 128;
  double learning_rate = 2e-3;  // the peak: 5% linear warm-up, then a cosine to 0
  double weight_decay = 0.05;
  double label_smoothing = 0.05;
  int shift = 2;     // pixels; a random window of the picture with a border of zeros that wide
  bool flip = true;  // mirrored with probability 1/2
  std::optional<PictureViews> views = {};  // what is shown instead of the pictures themselves
  std::uint64_t seed = 0;
};

// Telling classes apart: cross-entropy of the logits, which are the means of the classifier's logit maps.
class ClassificationTask final : public Task {
 public:
  // All references must outlive this. `params` are those of a classifier that `device` learns.
  ClassificationTask(const ClassifierConfig& config, const LearnedParams& params, const BatchStream& batches,
                     const Device& device, const ClassifierTraining& options);

  int batch() const override { return int(labels_.size()); }
  void make(std::uint32_t step, const SampleRange& range, double progress) override;
  double loss(const SampleRange& whole, const RunContext& context) override;
  void backward(const RunContext& context) override;

  // Share of the last batch whose largest logit is that of its label.
  double accuracy() const;

 private:
  const BatchStream& batches_;
  ClassifierTraining options_;
  ClassifierGraph net_;
  Plan plan_;
  std::size_t pixels_;
  std::vector<float> images_, maps_, map_grad_, logits_;
  std::vector<int> labels_;
};

struct ClassifierStep {
  std::int64_t step, steps;  // from 1
  double loss;
  double accuracy;  // on the batch, as it was shown: shifted and mirrored
};

// AdamW (beta 0.9, 0.99) on all of `data`, which must have labels and the form of the config: Error(usage).
// Error(non_finite) if the loss is.
void train_classifier(Classifier& classifier, const Dataset& data, const Device& device,
                      const ClassifierTraining& options,
                      const std::function<void(const ClassifierStep&)>& on_step = {});

}  // namespace diffusion
