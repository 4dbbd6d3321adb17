#include "profile/network_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
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
  if (const Network::Condition* classes = net.condition(kClassCondition))
    d.labels.resize(std::size_t(net.graph.shape(classes->value).elements()));
  return d;
}

NetworkStep::NetworkStep(const NetworkConfig& config, std::array<int, 2> image_size, int batch, Mode mode,
                         const Device& device, ParamStore params)
    : mode_(mode),
      params_(std::move(params)),
      evaluator_(config, params_, device, mode, batch, image_size[0], image_size[1]),
      optimizer_(params_, {}),
      output_(std::size_t(batch) * evaluator_.output_size()),
      grad_(output_.size()),
      weights_(std::size_t(batch), 1.0) {
  set_data(random_step_data(net(), batch));
}

void NetworkStep::set_data(StepData data) {
  data_ = std::move(data);
  if (data_.target.size() != output_.size())
    throw Error(ErrorKind::bad_input, fmt::format("the target has {} numbers, the network's output has {}",
                                                  data_.target.size(), output_.size()));
  conditions_.clear();
  if (!data_.labels.empty()) conditions_.emplace(kClassCondition, data_.labels);
}

double NetworkStep::run() {
  evaluator_.evaluate(data_.sample, data_.timestep, conditions_, output_);
  auto outside = Clock::now();
  const double loss = loss_and_grad(LossKind::huber, output_, data_.target, weights_, grad_);
  outside_seconds_ = seconds_since(outside);
  if (mode_ == Mode::inference) return loss;
  std::ranges::fill(params_.grads(), 0.f);
  evaluator_.backward(grad_);
  outside = Clock::now();
  optimizer_.update(params_, ++steps_, 1e-4, 1, 0.999);
  outside_seconds_ += seconds_since(outside);
  return loss;
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
    profile.outside_seconds += step.outside_seconds() / steps;
  }
  step.set_observer({});
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
