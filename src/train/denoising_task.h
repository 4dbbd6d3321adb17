#pragma once

#include <span>
#include <vector>

#include "diffusion/model.h"
#include "diffusion/network_evaluator.h"
#include "train/consistency_batch.h"
#include "train/task.h"
#include "train/training_batch.h"

namespace diffusion {

// The examples of a step and the network that sees them, part by part: what the tasks of a diffusion model
// share.
class BatchPass {
 public:
  // All references must outlive this. `params` are those of the model that `device` learns.
  BatchPass(const TrainConfig& config, const Dataset& dataset, const Model& model,
            const LearnedParams& params, const Device& device, const CaptionInputs& captions);

  void make(std::uint32_t step, const SampleRange& range);
  TrainingBatch& batch() { return batch_; }

  // The entries of `all`, arrays over what was made, that belong to the samples of `part`.
  template <class T>
  std::span<const T> slice(std::span<const T> all, const SampleRange& part) const {
    const std::size_t size = all.size() / std::size_t(made_.count);
    return all.subspan(std::size_t(part.first - made_.first) * size, std::size_t(part.count) * size);
  }
  template <class T>
  std::span<const T> slice(const std::vector<T>& all, const SampleRange& part) const {
    return slice(std::span<const T>(all), part);
  }

  // What the network says of these inputs for the samples of `part`, with their labels.
  std::span<const float> evaluate(const SampleRange& part, std::span<const float> input,
                                  std::span<const float> timesteps, const RunContext& context);

  // Where the gradient of a loss with respect to the last evaluation goes, and its way into the parameters'.
  std::span<float> output_grad() { return grad_; }
  void backward(const RunContext& context) { evaluator_.backward(grad_, context); }

 private:
  NetworkEvaluator evaluator_;
  BatchMaker batches_;
  TrainingBatch batch_;
  SampleRange made_;
  std::vector<float> output_, grad_;
};

// Denoising: the raw network's output F against the target that makes D the clean image (loss.h).
class DenoisingTask final : public Task {
 public:
  // All references must outlive this.
  DenoisingTask(const TrainConfig& config, const Dataset& dataset, const Model& model,
                const LearnedParams& params, const Device& device, const CaptionInputs& captions = {})
      : config_(config), pass_(config, dataset, model, params, device, captions) {}

  int batch() const override { return config_.batch; }
  void make(std::uint32_t step, const SampleRange& range, double progress) override;
  double loss(const SampleRange& part, const RunContext& context) override;
  void backward(const RunContext& context) override { pass_.backward(context); }

 private:
  const TrainConfig& config_;
  BatchPass pass_;
};

// Tuning for few steps, TrainConfig::consistency (consistency.h): D at one noise level against D at a lower
// one.
class ConsistencyTask final : public Task {
 public:
  // All references must outlive this.
  ConsistencyTask(const TrainConfig& config, const Dataset& dataset, const Model& model,
                  const LearnedParams& params, const Device& device, const CaptionInputs& captions = {})
      : config_(config),
        pass_(config, dataset, model, params, device, captions),
        lower_(*config.consistency, model.preconditioner) {}

  int batch() const override { return config_.batch; }
  void make(std::uint32_t step, const SampleRange& range, double progress) override;
  double loss(const SampleRange& part, const RunContext& context) override;
  void backward(const RunContext& context) override { pass_.backward(context); }

 private:
  const TrainConfig& config_;
  BatchPass pass_;
  ConsistencyBatch lower_;
  SampleRange made_;
};

}  // namespace diffusion
