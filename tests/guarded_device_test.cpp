#include "support/guarded_device.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "base/rng.h"
#include "device/device.h"
#include "device/host_numbers.h"
#include "diffusion/loss.h"
#include "diffusion/model.h"
#include "nn/unet.h"
#include "op_case_plan.h"
#include "train/optimizer.h"

namespace diffusion {
namespace {

std::shared_ptr<const Device> guarded(Precision precision = Precision::f32) {
  return make_guarded_device(make_cpu_device(precision));
}

TEST(GuardedDeviceDeathTest, HostMustNotTouchItsMemory) {
  const auto device = guarded();
  const auto memory = device->allocate(100);
  EXPECT_DEATH(static_cast<void>(*static_cast<volatile std::byte*>(memory->address())), "");
  EXPECT_DEATH(*static_cast<volatile std::byte*>(memory->address()) = std::byte{1}, "");
  device->queue()->fill(memory->address(), 100, std::byte{7});
  device->queue()->wait();
  EXPECT_DEATH(static_cast<void>(*static_cast<volatile std::byte*>(memory->address())), "")
      << "closed again after the work";
  std::vector<std::byte> bytes(100);
  device->queue()->download(memory->address(), bytes);
  EXPECT_EQ(bytes, std::vector<std::byte>(100, std::byte{7}));
}

TEST(GuardedDeviceDeathTest, PlansResultMustBeReadThroughTheQueue) {
  Graph graph;
  const Value x = graph.input("x", {1, 4, 1, 1});
  const Value w = graph.param({{{"w", {4, 4}}}, {Init::Kind::normal, 1}}, {4, 4, 1, 1});
  const Value y = graph.add(Linear{}, {x, w}, "y");
  ParamStore params{ParamLayout(graph)};
  const auto device = guarded();
  const LearnedParams learned(params, *device);
  Plan plan(graph, y, *device, Mode::training, learned);
  plan.write_input(x, std::vector<float>(4, 1.f));
  plan.forward();
  plan.backward(std::vector<float>(4, 1.f));
  EXPECT_DEATH(static_cast<void>(*learned.grads().as<volatile float>()), "");
}

TEST(GuardedDevice, WorkWaits) {
  const auto device = guarded();
  const auto queue = device->queue();
  const auto memory = device->allocate(4 * sizeof(float));
  const Tensor block = flat_block(memory->address(), 4);
  std::vector<float> numbers{1, 2, 3, 4}, back(4);
  queue->read(block, back);
  EXPECT_EQ(back, std::vector<float>(4)) << "zero at birth";
  queue->write(block, numbers);
  numbers.assign(4, 9);  // taken at the call
  queue->fill(block.data, sizeof(float), std::byte{0});
  queue->read(block, back);
  EXPECT_EQ(back, (std::vector<float>{0, 2, 3, 4})) << "in order";
}

// Every op, forward and backward, with poison.
class OpOnGuardedDevice : public testing::TestWithParam<OpCase> {};
INSTANTIATE_TEST_SUITE_P(Cpu, OpOnGuardedDevice, testing::ValuesIn(differentiable_cases()),
                         [](const auto& test) { return test.param.name; });

TEST_P(OpOnGuardedDevice, ComputesTheSameBytes) {
  const OpCase& c = GetParam();
  std::vector<std::vector<float>> values;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) values.push_back(make_values(c.inputs[k], k));
  std::vector<std::vector<double>> results[2];
  for (const bool on_guarded : {false, true}) {
    const auto device = on_guarded ? guarded() : make_cpu_device(Precision::f32);
    CasePlan plan(c, values, *device, Mode::training, 2);
    std::vector<std::vector<double>>& all = results[on_guarded];
    all.push_back(plan.forward());
    plan.backward(make_output_grad(plan.output_shape()));
    for (std::size_t k = 0; k < c.inputs.size(); ++k)
      if (c.inputs[k].needs_grad) all.push_back(plan.grad(k));
  }
  EXPECT_EQ(results[0], results[1]);
}

UNetConfig tiny_unet() {
  UNetConfig c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16, 32};
  c.down_block_attention = {false, true};
  c.up_block_attention = {true, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  c.attention_head_dim = 16;
  c.dropout = 0.1;
  c.sample_size = {8, 8};
  return c;
}

std::vector<float> noise(std::size_t count, std::uint32_t sample) {
  std::vector<float> values(count);
  fill_normal({1, Stream::train_noise, sample, 0}, values);
  return values;
}

// Norms of the gradients, then weights, moments and EMA after some steps.
std::vector<std::vector<float>> train(const Device& device, OptimizerKind kind) {
  constexpr int kBatch = 2;
  constexpr std::size_t kSize = kBatch * 64;
  const Network net = make_unet(tiny_unet(), kBatch, 8, 8);
  ParamStore params{ParamLayout(net.graph)};
  params.initialize(1);
  LearnedParams learned(params, device);
  Optimizer optimizer(learned, device, {.kind = kind, .weight_decay = 0.01});
  Plan plan(net.graph, net.output, device, Mode::training, learned);
  std::vector<float> output(kSize), grad(kSize), norms;
  for (std::uint32_t step = 1; step <= 4; ++step) {
    learned.zero_grads();
    for (std::uint32_t part = 0; part < 2; ++part) {
      const RunContext context{.seed = 5, .step = step};
      plan.write_input(net.sample, noise(kSize, 2 * step + part));
      plan.write_input(net.timestep, std::vector<float>{float(step), 700});
      plan.forward(context);
      plan.read_output(output);
      loss_and_grad(LossKind::mse, output, noise(kSize, 100 + step), std::vector<double>(kBatch, 1.0), grad);
      plan.backward(grad, context);
    }
    norms.push_back(float(optimizer.gradient_norm()));
    optimizer.update(step, 1e-3, 0.5, 0.9);
  }
  learned.download();
  std::vector<std::vector<float>> result{norms, {params.values().begin(), params.values().end()}};
  for (const Tensor& block : {optimizer.moment1(), optimizer.moment2(), optimizer.ema()}) {
    const HostNumbers numbers(learned.queue(), block);
    result.emplace_back(numbers.span().begin(), numbers.span().end());
  }
  return result;
}

TEST(GuardedDevice, TrainsToTheSameBytes) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::muon}) {
    const auto expected = train(*make_cpu_device(Precision::f32), kind);
    EXPECT_GT(expected[0][0], 0);
    EXPECT_EQ(train(*guarded(), kind), expected) << to_string(kind);
  }
}

TEST(GuardedDevice, SamplesTheSameBytes) {
  const UNetConfig config = tiny_unet();
  Model model{config, Preconditioner(Objective::v, make_schedule(ScheduleKind::cosine, 1000)),
              {},     {},
              {},     ParamStore(layout_of(config))};
  model.params.initialize(1);
  GenerateOptions options;
  options.count = 3;
  options.batch = 2;
  options.recipe = {.steps = 4};
  options.seed = 1;
  const std::vector<Image> expected = generate(model, *make_cpu_device(Precision::f32), options),
                           images = generate(model, *guarded(), options);
  ASSERT_EQ(images.size(), expected.size());
  for (std::size_t i = 0; i < images.size(); ++i) EXPECT_EQ(images[i].pixels, expected[i].pixels) << i;
}

}  // namespace
}  // namespace diffusion
