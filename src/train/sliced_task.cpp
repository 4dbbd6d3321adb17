#include "train/sliced_task.h"

#include <algorithm>
#include <cmath>

#include <diffusion/device.h>

namespace diffusion {

SlicedTask::SlicedTask(const TrainConfig& config, LearnedParams& params, const Device& device, int threads,
                       const MakeTask& make_task)
    : config_(config),
      params_(params),
      lanes_(std::size_t(std::min(threads, config.slices))),
      workers_(int(lanes_.size()), [&](int worker) {
        set_threads(1);
        Lane& lane = lanes_[std::size_t(worker)];
        lane.device = make_cpu_device(config.precision);
        lane.params = std::make_unique<LearnedParams>(params, *lane.device);
        lane.task = make_task(*lane.params, *lane.device);
      }) {
  const std::size_t size = params.layout().block_size();
  for (int slice = 0; slice < config.slices; ++slice) {
    memory_.push_back(device.allocate(size * sizeof(float)));
    gradients_.push_back(flat_block(memory_.back()->address(), size));
  }
}

void SlicedTask::make(std::uint32_t step, const SampleRange& /*range*/, double progress) {
  step_ = step;
  progress_ = progress;
}

// The loss of the slice and, if it is finite, its gradients.
double SlicedTask::learn_slice(Lane& lane, int slice, const SampleRange& part, RunContext context) {
  const int count = part.count / config_.slices;
  const SampleRange samples{part.first + slice * count, count};
  context.first_sample = std::uint32_t(samples.first);
  lane.params->add_grads_to(gradients_[std::size_t(slice)]);
  lane.params->zero_grads();
  lane.task->make(step_, samples, progress_);
  const double loss = lane.task->loss(samples, context);
  if (std::isfinite(loss)) lane.task->backward(context);
  return loss;
}

double SlicedTask::loss(const SampleRange& part, const RunContext& context) {
  std::vector<double> losses(gradients_.size());
  workers_.run(config_.slices, [&](int worker, int slice) {
    losses[std::size_t(slice)] = learn_slice(lanes_[std::size_t(worker)], slice, part, context);
  });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum / double(config_.slices);
}

void SlicedTask::backward(const RunContext& /*context*/) {
  constexpr std::size_t kPiece = 16'384;  // numbers that are added at a time, in the cache
  const std::size_t size = params_.layout().block_size();
  workers_.run(int((size + kPiece - 1) / kPiece), [&](int, int piece) {
    const std::size_t begin = std::size_t(piece) * kPiece, end = std::min(size, begin + kPiece);
    params_.queue().add_in_pairs(gradients_, begin, end, 1.f / float(config_.slices), params_.grads());
  });
}

}  // namespace diffusion
