#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/workers.h"
#include "device/device.h"
#include "plan/learned_params.h"
#include "train/communicator.h"
#include "train/config.h"
#include "train/task.h"

namespace diffusion {

// A task whose batches are computed in slices, each by one thread alone, from its images to its gradients:
// whoever is free takes the next slice. Threads meet once a step instead of in every operation, so one that
// is put aside, or runs on a slow core, holds up its slice only. Several processes share the slices.
// Gradients are added over slices in an order that the number of slices alone decides, so the result does not
// depend on the number of threads, nor of processes.
class SlicedTask final : public Task {
 public:
  // The task of a thread, on a device of its own whose operations use this thread alone.
  using MakeTask = std::function<std::unique_ptr<Task>(const LearnedParams& params, const Device& device)>;

  // `params` of `device` are what is learned, and owned[k] the gradients that process k gets. At most
  // `threads` threads. References must outlive this.
  SlicedTask(const TrainConfig& config, LearnedParams& params, const Device& device, int threads,
             const Communicator& communicator, std::span<const ParamRange> owned, const MakeTask& make_task);

  int batch() const override { return config_.batch; }
  void make(std::uint32_t step, const SampleRange& range, double progress) override;
  double loss(const SampleRange& part, const RunContext& context) override;
  void backward(const RunContext& context) override;

 private:
  struct Lane {  // what one thread computes with
    std::shared_ptr<const Device> device;
    std::unique_ptr<LearnedParams> params;
    std::unique_ptr<Task> task;
  };

  double learn_slice(Lane& lane, int k, const SampleRange& part, RunContext context);

  const TrainConfig& config_;
  LearnedParams& params_;
  const Communicator& communicator_;
  SliceRange mine_;                    // the slices of this process
  std::span<const ParamRange> owned_;  // by process
  std::vector<std::unique_ptr<DeviceMemory>> memory_;
  std::vector<Tensor> gradients_;  // of my slices; flat blocks in the layout of the parameters
  std::vector<Lane> lanes_;        // by worker
  std::uint32_t step_ = 0;
  double progress_ = 0;
  Workers workers_;  // the last: its threads use all others
};

}  // namespace diffusion
