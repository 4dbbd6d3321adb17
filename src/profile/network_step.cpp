#include "profile/network_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include <diffusion/error.h>
#include "base/rng.h"
#include "diffusion/loss.h"
#include "graph/flops.h"

namespace diffusion {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

StepData random_step_data(const Network& net, int batch) {
  StepData d;
  d.sample.resize(std::size_t(net.graph.shape(net.sample).elements()));
  d.target.resize(std::size_t(net.graph.shape(net.output).elements()));
  fill_normal({1, Stream::train_noise, 0, 0}, d.sample);
  fill_normal({1, Stream::train_noise, 1, 0}, d.target);
  for (int i = 0; i < batch; ++i) d.timestep.push_back(float(i * 37 % 1000));
  for (const Network::Condition& condition : net.conditions)
    d.conditions[std::string(condition.traits.name)].resize(
        std::size_t(net.graph.shape(condition.value).elements()));
  return d;
}

FixedTask::FixedTask(NetworkEvaluator& evaluator, int batch)
    : evaluator_(evaluator),
      output_(std::size_t(batch) * evaluator.output_size()),
      grad_(output_.size()),
      weights_(std::size_t(batch), 1.0) {
  set_data(random_step_data(evaluator.network(), batch));
}

void FixedTask::set_data(StepData data) {
  data_ = std::move(data);
  if (data_.target.size() != output_.size())
    throw Error(ErrorKind::bad_input, fmt::format("the target has {} numbers, the network's output has {}",
                                                  data_.target.size(), output_.size()));
}

double FixedTask::loss(const SampleRange& /*whole*/, const RunContext& context) {
  evaluator_.evaluate(data_.sample, data_.timestep, data_.conditions, output_, context);
  return loss_and_grad(LossKind::huber, output_, data_.target, weights_, grad_);
}

namespace {

NetworkEvaluator make_evaluator(const NetworkConfig& config, const ParamStore& params,
                                const std::optional<LearnedParams>& learned, const Device& device, int batch,
                                std::array<int, 2> size, bool gradient_checkpointing) {
  if (learned)
    return NetworkEvaluator(config, *learned, device, batch, size[0], size[1], gradient_checkpointing);
  return NetworkEvaluator(config, params, device, batch, size[0], size[1]);
}

std::optional<LearnedParams> learned_if(Mode mode, ParamStore& params, const Device& device) {
  if (mode == Mode::inference) return std::nullopt;
  return std::optional<LearnedParams>(std::in_place, params, device);
}

}  // namespace

NetworkStep::NetworkStep(const NetworkConfig& config, std::array<int, 2> image_size, int batch, Mode mode,
                         const Device& device, ParamStore params, bool gradient_checkpointing)
    : params_(std::move(params)),
      learned_(learned_if(mode, params_, device)),
      evaluator_(
          make_evaluator(config, params_, learned_, device, batch, image_size, gradient_checkpointing)),
      task_(evaluator_, batch) {
  if (learned_) learner_.emplace(*learned_, device, LearnerOptions{.ema_exponent = 6.94});
}

double NetworkStep::run() {
  constexpr double kLearningRate = 1e-4;
  if (!learner_) return task_.loss({0, task_.batch()}, {});
  return learner_->step(task_, steps_++, kLearningRate, 0).loss;
}

double StepProfile::mean_seconds() const {
  return std::accumulate(step_seconds.begin(), step_seconds.end(), 0.0) / double(step_seconds.size());
}

StepProfile profile_steps(NetworkStep& step, int steps) {
  StepProfile profile;
  std::size_t at = 0;
  step.set_observer([&](const StepTiming& t) {
    if (at == profile.layers.size()) {
      const double flops = forward_flops(step.net().graph, t.node) * (t.backward ? 2 : 1);
      profile.layers.push_back({std::string(t.name), std::string(t.kind), std::string(t.implementation),
                                t.node, t.backward, 0, flops, t.bytes});
    }
    profile.layers[at++].seconds += t.seconds / steps;
  });
  for (int i = 0; i < steps; ++i) {
    at = 0;
    const auto start = Clock::now();
    step.run();
    profile.step_seconds.push_back(seconds_since(start));
  }
  step.set_observer({});
  profile.outside_seconds = profile.mean_seconds();
  for (const LayerTime& layer : profile.layers) profile.outside_seconds -= layer.seconds;
  std::ranges::sort(profile.step_seconds);
  return profile;
}

std::vector<LayerTime> by_kind(const StepProfile& profile) {
  std::vector<LayerTime> rows;
  for (const LayerTime& layer : profile.layers) {
    auto row = std::ranges::find_if(
        rows, [&](const LayerTime& r) { return r.kind == layer.kind && r.backward == layer.backward; });
    if (row == rows.end()) {
      const auto name = fmt::format("{} {}", layer.kind, layer.backward ? "backward" : "forward");
      row = rows.insert(row, {name, layer.kind, "", -1, layer.backward});
    }
    row->seconds += layer.seconds;
    row->flops += layer.flops;
    row->bytes += layer.bytes;
  }
  std::ranges::stable_sort(rows, std::greater<>(), &LayerTime::seconds);
  rows.push_back({"loss and optimizer", "", "", -1, false, profile.outside_seconds});
  return rows;
}

}  // namespace diffusion
