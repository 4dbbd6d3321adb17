#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diffusion/network_evaluator.h"
#include "nn/network.h"
#include "plan/plan.h"
#include "train/learner.h"

namespace diffusion {

// The numbers of one step, plain NCHW.
struct StepData {
  std::vector<float> sample, timestep, target;
  Conditions conditions;
};

// Random ones for a network of this many images; its conditions are all 0.
StepData random_step_data(const Network& net, int batch);

// Always the same numbers, and the smooth L1 loss.
class FixedTask final : public Task {
 public:
  // The evaluator must outlive this.
  FixedTask(NetworkEvaluator& evaluator, int batch);

  void set_data(StepData data);

  int batch() const override { return int(weights_.size()); }
  void make(std::uint32_t /*step*/, const SampleRange& /*range*/, double /*progress*/) override {}
  double loss(const SampleRange& whole, const RunContext& context) override;
  void backward(const RunContext& context) override { evaluator_.backward(grad_, context); }

 private:
  NetworkEvaluator& evaluator_;
  StepData data_;
  std::vector<float> output_, grad_;
  std::vector<double> weights_;
};

// One step of a network on fixed numbers, as often as wanted: the evaluation of sampling, or all of a
// training step but the making of its batch: forward, smooth L1 loss, backward, AdamW with EMA.
class NetworkStep {
 public:
  // `params` laid out for the network; `device` must outlive this. Height and width as validate_image_size
  // accepts them.
  NetworkStep(const NetworkConfig& config, std::array<int, 2> image_size, int batch, Mode mode,
              const Device& device, ParamStore params, bool gradient_checkpointing = false);
  NetworkStep(const NetworkStep&) = delete;
  NetworkStep& operator=(const NetworkStep&) = delete;

  const Network& net() const { return evaluator_.network(); }
  const ParamStore& params() const { return params_; }
  std::size_t arena_bytes() const { return evaluator_.arena_bytes(); }

  void set_data(StepData data) { task_.set_data(std::move(data)); }
  // Runs it and returns the loss of the output against the target (also in Mode::inference).
  double run();
  void set_observer(std::function<void(const StepTiming&)> observer) {
    evaluator_.set_observer(std::move(observer));
  }

 private:
  ParamStore params_;
  std::optional<LearnedParams> learned_;  // none in Mode::inference
  NetworkEvaluator evaluator_;
  FixedTask task_;
  std::optional<Learner> learner_;  // none in Mode::inference
  std::int64_t steps_ = 0;
};

// Time by layer.
struct LayerTime {
  std::string name, kind, implementation;
  int node;
  bool backward;
  double seconds = 0;  // a step
  double flops = 0;    // as defined, whatever the algorithm (graph/flops.h)
  double bytes = 0;    // every tensor once
};

struct StepProfile {
  std::vector<double> step_seconds;  // ascending
  std::vector<LayerTime> layers;     // in order of execution; means over the steps
  double outside_seconds = 0;        // of the steps, outside of the layers: loss and optimizer; mean

  double median_seconds() const { return step_seconds[step_seconds.size() / 2]; }
  double mean_seconds() const;
};

// Times `steps` steps. The network must have run at least twice before, or the first times are those of cold
// memory.
StepProfile profile_steps(NetworkStep& step, int steps);

// Sums over the layers of a kind and direction, named "conv2d backward"; `outside` is the last row, "loss and
// optimizer".
std::vector<LayerTime> by_kind(const StepProfile& profile);

}  // namespace diffusion
