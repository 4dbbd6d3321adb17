#include "train/sliced_task.h"

#include <algorithm>
#include <cmath>

#include <diffusion/device.h>

namespace diffusion {

SlicedTask::SlicedTask(const TrainConfig& config, LearnedParams& params, const Device& device, int threads,
                       const Communicator& communicator, std::span<const ParamRange> owned,
                       const MakeTask& make_task)
    : config_(config),
      params_(params),
      communicator_(communicator),
      mine_(communicator.share_of(config.slices, communicator.rank())),
      owned_(owned),
      lanes_(std::size_t(std::min(threads, mine_.count))),
      workers_(int(lanes_.size()), [&](int worker) {
        set_threads(1);
        Lane& lane = lanes_[std::size_t(worker)];
        lane.device = make_cpu_device(config.precision);
        lane.params = std::make_unique<LearnedParams>(params, *lane.device);
        lane.task = make_task(*lane.params, *lane.device);
      }) {
  const std::size_t size = params.layout().block_size();
  for (int k = 0; k < mine_.count; ++k) {
    memory_.push_back(device.allocate(size * sizeof(float)));
    gradients_.push_back(flat_block(memory_.back()->address(), size));
  }
}

void SlicedTask::make(std::uint32_t step, const SampleRange& /*range*/, double progress) {
  step_ = step;
  progress_ = progress;
}

// The loss of my slice k and, if it is finite, its gradients.
double SlicedTask::learn_slice(Lane& lane, int k, const SampleRange& part, RunContext context) {
  const int count = part.count / config_.slices;
  const SampleRange samples{part.first + (mine_.first + k) * count, count};
  context.first_sample = std::uint32_t(samples.first);
  lane.params->add_grads_to(gradients_[std::size_t(k)]);
  lane.params->zero_grads();
  lane.task->make(step_, samples, progress_);
  const double loss = lane.task->loss(samples, context);
  if (std::isfinite(loss)) lane.task->backward(context);
  return loss;
}

double SlicedTask::loss(const SampleRange& part, const RunContext& context) {
  std::vector<double> losses(std::size_t(config_.slices));  // those of others stay 0
  workers_.run(mine_.count, [&](int worker, int k) {
    losses[std::size_t(mine_.first + k)] = learn_slice(lanes_[std::size_t(worker)], k, part, context);
  });
  const std::vector<double> all = communicator_.gather(losses);
  double sum = 0;
  for (int slice = 0, rank = 0; slice < config_.slices; ++slice) {
    while (slice >= communicator_.share_of(config_.slices, rank).end()) ++rank;
    sum += all[std::size_t(rank * config_.slices + slice)];
  }
  return sum / double(config_.slices);
}

void SlicedTask::backward(const RunContext& /*context*/) {
  std::vector<std::span<const Tensor>> nodes;  // the slices that they are sums over; the sum is the first's
  for (const SliceRange& node : tree_nodes(mine_, config_.slices))
    nodes.push_back(
        std::span(gradients_).subspan(std::size_t(node.first - mine_.first), std::size_t(node.count)));
  Queue& queue = params_.queue();
  const float average = 1.f / float(config_.slices);
  constexpr std::size_t kPiece = 16'384;  // numbers that are added at a time, in the cache
  const std::size_t size = params_.layout().block_size();
  workers_.run(int((size + kPiece - 1) / kPiece), [&](int, int piece) {
    const std::size_t begin = std::size_t(piece) * kPiece, end = std::min(size, begin + kPiece);
    for (const std::span<const Tensor> node : nodes) queue.add_in_pairs(node, begin, end);
    if (communicator_.size() == 1) queue.add_scaled(gradients_[0], average, params_.grads(), begin, end);
  });
  if (communicator_.size() == 1) return;
  std::vector<Tensor> sums;
  for (const std::span<const Tensor> node : nodes) sums.push_back(node.front());
  communicator_.add_over_slices(config_.slices, queue, sums, average, params_.grads(), owned_);
}

}  // namespace diffusion
