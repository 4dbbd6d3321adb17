#include "profile/convolution_limit.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <variant>

#include "profile/kernel_timing.h"

namespace diffusion {

namespace {

constexpr double kSecondsEach = 0.1;

bool is_convolution(const Op& op) {
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<UpsampleConv2d>(op) ||
         std::holds_alternative<ConvTranspose2d>(op);
}

// Layers of one description take the same time.
std::string description(const Op& op, std::span<const TimedInput> inputs) {
  std::string text(kind(op));
  if (const auto* conv = std::get_if<Conv2d>(&op))
    text += fmt::format(" {} {} {} {} {} {}", conv->stride, conv->pad_top, conv->pad_left, conv->pad_bottom,
                        conv->pad_right, conv->groups);
  if (const auto* conv = std::get_if<ConvTranspose2d>(&op))
    text += fmt::format(" {} {}", conv->stride, conv->pad);
  for (const TimedInput& in : inputs) text += fmt::format(" {} {}", to_string(in.shape), in.needs_grad);
  return text;
}

double seconds_alone(const Op& op, std::span<const TimedInput> inputs, std::span<const Device* const> devices,
                     bool training) {
  double forward = std::numeric_limits<double>::infinity(), input_grad = forward, weight_grad = forward;
  std::vector<bool> of_input(inputs.size(), false), of_weights(inputs.size(), true);
  of_input[0] = true;
  of_weights[0] = false;
  for (const Device* device : devices) {
    TimedKernel kernel(op, inputs, *device);
    forward = std::min(forward, time_calls([&] { kernel.forward(); }, kSecondsEach).median);
    if (!training) continue;
    weight_grad =
        std::min(weight_grad, time_calls([&] { kernel.backward_of(of_weights); }, kSecondsEach).median);
    if (inputs[0].needs_grad)
      input_grad =
          std::min(input_grad, time_calls([&] { kernel.backward_of(of_input); }, kSecondsEach).median);
  }
  if (!training) return forward;
  return forward + weight_grad + (inputs[0].needs_grad ? input_grad : 0);
}

}  // namespace

double convolution_limit(const Graph& graph, const Device& device, const Device& direct, Mode mode) {
  const std::array<const Device*, 2> devices{&device, &direct};
  std::map<std::string, double> known;
  double sum = 0;
  for (const Graph::Node& node : graph.nodes()) {
    if (node.source != Graph::Source::op || !is_convolution(node.op)) continue;
    std::vector<TimedInput> inputs;
    for (int id : node.in) {
      const Graph::Node& in = graph.nodes()[std::size_t(id)];
      inputs.push_back({in.shape, in.source == Graph::Source::param, in.source != Graph::Source::input});
    }
    const auto [found, is_new] = known.try_emplace(description(node.op, inputs), 0);
    if (is_new) found->second = seconds_alone(node.op, inputs, devices, mode == Mode::training);
    sum += found->second;
  }
  return sum;
}

}  // namespace diffusion
