#include "profile/network_step.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "device/cpu/cpu_device.h"
#include "device/device.h"
#include "diffusion/model.h"
#include "graph/flops.h"
#include "profile/convolution_limit.h"
#include "profile/kernel_timing.h"
#include "profile/machine_peak.h"

namespace diffusion {
namespace {

UNetConfig small_config() {
  UNetConfig c;
  c.sample_size = {8, 8};
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16, 32};
  c.down_block_attention = {false, true};
  c.up_block_attention = {true, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  return c;
}

ParamStore fresh_params(const NetworkConfig& config) {
  ParamStore params(layout_of(config));
  params.initialize(3);
  return params;
}

TEST(NetworkStep, TrainsOnItsNumbers) {
  const auto device = make_cpu_device(Precision::f32);
  NetworkStep step(small_config(), {8, 8}, 3, Mode::training, *device, fresh_params(small_config()));
  const double first = step.run();
  double last = first;
  for (int i = 0; i < 20; ++i) last = step.run();
  EXPECT_LT(last, first);
}

TEST(NetworkStep, AnEvaluationChangesNothing) {
  const auto device = make_cpu_device(Precision::f32);
  NetworkStep step(small_config(), {8, 8}, 3, Mode::inference, *device, fresh_params(small_config()));
  const double first = step.run();
  EXPECT_EQ(step.run(), first);
}

TEST(NetworkStep, RefusesATargetOfAnotherSize) {
  const auto device = make_cpu_device(Precision::f32);
  NetworkStep step(small_config(), {8, 8}, 2, Mode::training, *device, fresh_params(small_config()));
  StepData data = random_step_data(step.net(), 2);
  data.target.pop_back();
  EXPECT_THROW(step.set_data(data), Error);
}

TEST(StepProfile, HasEveryLayerOnceWithItsArithmetic) {
  const auto device = make_cpu_device(Precision::f32);
  NetworkStep step(small_config(), {8, 8}, 2, Mode::training, *device, fresh_params(small_config()));
  step.run();
  const StepProfile profile = profile_steps(step, 3);
  EXPECT_EQ(profile.step_seconds.size(), 3u);
  EXPECT_TRUE(std::ranges::is_sorted(profile.step_seconds));

  std::size_t ops = 0;
  for (const Graph::Node& node : step.net().graph.nodes()) ops += node.source == Graph::Source::op;
  const auto forward = [](const LayerTime& l) { return !l.backward; };
  EXPECT_EQ(std::size_t(std::ranges::count_if(profile.layers, forward)), ops);

  double flops = 0, seconds = profile.outside_seconds;
  for (const LayerTime& layer : profile.layers) {
    if (!layer.backward) flops += layer.flops;
    seconds += layer.seconds;
    EXPECT_GT(layer.bytes, 0) << layer.name;
    EXPECT_FALSE(layer.implementation.empty()) << layer.name;
  }
  EXPECT_EQ(flops, forward_flops(step.net().graph));
  EXPECT_LE(seconds, profile.mean_seconds() * 1.0001);  // layers are parts of steps

  double by_kinds = 0;
  for (const LayerTime& row : by_kind(profile)) by_kinds += row.seconds;
  EXPECT_NEAR(by_kinds, seconds, 1e-9);
}

TEST(ConvolutionLimit, IsPositiveWithConvolutionsAndZeroWithout) {
  Graph graph;
  Value x = graph.input("x", {2, 16, 8, 8});
  for (int i = 0; i < 3; ++i) {
    const Value w = graph.param({{{"w", {16, 16, 3, 3}}}, {}}, {16, 16, 3, 3});
    x = graph.add(Conv2d{1, 1, 1, 1, 1}, {x, w}, "conv");
  }
  const auto device = make_cpu_device(Precision::f32), direct = make_direct_cpu_device(Precision::f32);
  EXPECT_GT(convolution_limit(graph, *device, *direct, Mode::training), 0);
  Graph empty;
  empty.input("x", {1, 1, 1, 1});
  EXPECT_EQ(convolution_limit(empty, *device, *direct, Mode::inference), 0);
}

TEST(TimedKernel, RunsPartsOfABackward) {
  const auto device = make_cpu_device(Precision::f32);
  const std::vector<TimedInput> inputs{{{2, 16, 8, 8}}, {{16, 16, 3, 3}, true}};
  TimedKernel kernel(Conv2d{1, 1, 1, 1, 1}, inputs, *device);
  kernel.forward();
  kernel.backward();
  kernel.backward_of({true, false});
  EXPECT_GT(kernel.backward_bytes(), kernel.forward_bytes());
  int calls = 0;
  const Timing timing = time_calls([&] { ++calls; }, 0);
  EXPECT_EQ(calls, 6);
  EXPECT_LE(timing.best, timing.median);
}

TEST(MachinePeak, IsPositive) {
  const MachinePeak peak = measure_machine_peak();
  EXPECT_GT(peak.f32_flops, 1e8);
  EXPECT_GT(peak.copy_bytes, 1e7);
  // How the two compare is for the benchmark to say: other work on the machine may slow either.
  EXPECT_EQ(peak.bf16_flops > 0, multiplies_bf16());
}

}  // namespace
}  // namespace diffusion
