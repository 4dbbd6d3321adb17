#include "plan/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <thread>
#include <vector>

#include <diffusion/device.h>
#include "base/rng.h"
#include "device/device.h"
#include "device/host_numbers.h"
#include "nn/unet.h"
#include "plan/gradient_sharing.h"
#include "support/guarded_device.h"

namespace diffusion {
namespace {

Network small_unet(int n) {
  UNetConfig c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16, 32};
  c.down_block_attention = {false, true};
  c.up_block_attention = {true, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  c.attention_head_dim = 16;
  c.class_embed_type = ClassEmbedding::table;
  c.num_class_embeds = 4;
  return make_unet(c, n, 8, 8);
}

std::vector<float> noise(std::int64_t count, std::uint32_t sample) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_normal({1, Stream::train_noise, sample, 0}, values);
  return values;
}

std::shared_ptr<const Device> make_device(bool guarded) {
  auto device = make_cpu_device(Precision::f32);
  return guarded ? make_guarded_device(std::move(device)) : std::move(device);
}

struct SmallUNet {
  Network net = small_unet(2);
  ParamStore params{ParamLayout(net.graph)};
  std::shared_ptr<const Device> device;
  std::optional<LearnedParams> learned;

  explicit SmallUNet(bool guarded = false) : device(make_device(guarded)) {
    params.initialize(1);
    learned.emplace(params, *device);
  }
  Plan plan(Mode mode, PlanOptions options = {}) {
    Plan p = mode == Mode::inference ? Plan(net.graph, net.output, *device, mode, params, options)
                                     : Plan(net.graph, net.output, *device, mode, *learned, options);
    p.write_input(net.sample, noise(2 * 64, 0));
    p.write_input(net.timestep, std::vector<float>{3, 700});
    p.write_input(net.conditions.front().value, std::vector<float>{0, 3});
    return p;
  }
  std::vector<float> grads() const {
    const HostNumbers numbers(learned->queue(), learned->grads());
    return {numbers.span().begin(), numbers.span().end()};
  }
};

// On the CPU, and on the CPU behind a queue that delays and memory that the host must not touch.
class PlanOn : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Devices, PlanOn, testing::Bool(),
                         [](const auto& test) { return test.param ? "guarded" : "cpu"; });

std::vector<double> output_of(const Plan& plan) {
  std::vector<double> y(2 * 64);
  plan.read_output(y);
  return y;
}

TEST_P(PlanOn, RunsAgainGiveTheSameBits) {
  SmallUNet s(GetParam());
  Plan plan = s.plan(Mode::inference);
  plan.forward();
  const std::vector<double> first = output_of(plan);
  plan.forward();  // inputs keep their values
  EXPECT_EQ(output_of(plan), first);
}

TEST_P(PlanOn, PoisonChangesNothing) {
  SmallUNet s(GetParam());
  Plan clean = s.plan(Mode::training, {.poison = false}), poisoned = s.plan(Mode::training, {.poison = true});
  const std::vector<float> dy = noise(2 * 64, 1);
  clean.forward();
  const std::vector<double> output = output_of(clean);
  clean.backward(dy);
  const std::vector<float> expected = s.grads();
  s.learned->zero_grads();
  poisoned.forward();
  EXPECT_EQ(output_of(poisoned), output);
  poisoned.backward(dy);
  EXPECT_EQ(s.grads(), expected);
}

TEST_P(PlanOn, SharesMemoryAndInferenceNeedsLess) {
  SmallUNet s(GetParam());
  const Plan training = s.plan(Mode::training), inference = s.plan(Mode::inference);
  EXPECT_LT(training.arena_bytes(), training.unshared_bytes() / 2);
  EXPECT_LT(inference.arena_bytes(), training.arena_bytes() / 2);
}

TEST_P(PlanOn, ChangedParametersAreSeen) {
  SmallUNet s(GetParam());
  Plan plan = s.plan(Mode::inference);
  plan.forward();
  const std::vector<double> before = output_of(plan);
  s.params.initialize(2);
  plan.forward();
  EXPECT_NE(output_of(plan), before);
}

TEST_P(PlanOn, WrongUseIsRefused) {
  SmallUNet s(GetParam());
  Plan plan = s.plan(Mode::inference);
  EXPECT_THROW(plan.write_input(s.net.sample, noise(5, 0)), Error);
  plan.forward();
  EXPECT_THROW(plan.backward(noise(2 * 64, 1)), Error);
  Plan training = s.plan(Mode::training);
  training.forward();
  EXPECT_THROW(training.backward(noise(7, 1)), Error);
}

TEST_P(PlanOn, LabelOutsideTheTableIsAnError) {
  SmallUNet s(GetParam());
  Plan plan = s.plan(Mode::inference);
  plan.write_input(s.net.conditions.front().value, std::vector<float>{0, 4});
  EXPECT_THROW(
      {
        plan.forward();
        output_of(plan);
      },
      Error);
}

TEST_P(PlanOn, LearnedParametersAreSeen) {
  SmallUNet s(GetParam());
  Plan plan = s.plan(Mode::training);
  plan.forward();
  const std::vector<double> before = output_of(plan);
  s.learned->queue().fill(s.learned->values().data, s.learned->values().desc.bytes(), std::byte{0});
  s.learned->mark_changed();
  plan.forward();
  EXPECT_EQ(output_of(plan), std::vector<double>(before.size()));
  s.learned->upload();  // a copy is the host's again; where there is none, the host's are changed
  plan.forward();
  EXPECT_EQ(output_of(plan) == before, GetParam());
}

TEST(Plan, GuardedDeviceComputesTheSameBytes) {
  std::vector<std::vector<double>> outputs, input_grads;
  std::vector<std::vector<float>> grads;
  for (const bool guarded : {false, true}) {
    SmallUNet s(guarded);
    Plan plan = s.plan(Mode::training, {.poison = true, .input_grads = true});
    plan.forward({.seed = 4, .step = 2});
    outputs.push_back(output_of(plan));
    plan.backward(noise(2 * 64, 1), {.seed = 4, .step = 2});
    plan.read_input_grad(s.net.sample, input_grads.emplace_back(2 * 64));
    grads.push_back(s.grads());
  }
  EXPECT_EQ(outputs[0], outputs[1]);
  EXPECT_EQ(input_grads[0], input_grads[1]);
  EXPECT_EQ(grads[0], grads[1]);
}

// Constant parameters have no gradients, and many plans in many threads may share them.
TEST(Plan, OneStoreServesManyThreads) {
  SmallUNet s;
  const ParamStore& shared = s.params;
  std::vector<std::vector<double>> outputs(4);
  std::vector<std::thread> threads;
  for (std::vector<double>& output : outputs)
    threads.emplace_back([&] {
      Plan plan(s.net.graph, s.net.output, *s.device, Mode::inference, shared);
      plan.write_input(s.net.sample, noise(2 * 64, 0));
      plan.write_input(s.net.timestep, std::vector<float>{3, 700});
      plan.write_input(s.net.conditions.front().value, std::vector<float>{0, 3});
      for (int run = 0; run < 3; ++run) plan.forward();
      output = output_of(plan);
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<double>& output : outputs) EXPECT_EQ(output, outputs[0]);
  Plan training(s.net.graph, s.net.output, *s.device, Mode::training, shared);
  training.write_input(s.net.sample, noise(2 * 64, 0));
  training.write_input(s.net.timestep, std::vector<float>{3, 700});
  training.write_input(s.net.conditions.front().value, std::vector<float>{0, 3});
  training.forward();
  EXPECT_THROW(training.backward(noise(2 * 64, 1)), Error);
}

// x -> a -> b; sum = x + b. Backward: sum, b, a. x's gradient gets its second part from a, after b has read
// its own.
TEST(GradientSharing, ResidualBlockSharesBothAddends) {
  Graph g;
  const Shape shape{1, 4, 2, 2};
  const Value input = g.input("input", shape);
  const Value x = g.add(Activate{}, {input}, "x"), a = g.add(Activate{}, {x}, "a"),
              b = g.add(Activate{}, {a}, "b");
  const Value sum = g.add(Add{}, {x, b}, "sum");
  const std::vector<bool> all(g.nodes().size(), true);
  const std::vector<int> block = share_gradients(g, all, all);
  EXPECT_EQ(block[std::size_t(x.id)], sum.id);
  EXPECT_EQ(block[std::size_t(b.id)], sum.id);
  EXPECT_EQ(block[std::size_t(a.id)], a.id);
}

// sum = a + b with b made from x AFTER another consumer c of a: c writes a's gradient before b's producer
// read it.
TEST(GradientSharing, NotWhereAWriteWouldComeTooEarly) {
  Graph g;
  const Shape shape{1, 4, 2, 2};
  const Value input = g.input("input", shape);
  const Value a = g.add(Activate{}, {input}, "a"), b = g.add(Activate{}, {input}, "b"),
              c = g.add(Activate{}, {a}, "c");
  const Value sum = g.add(Add{}, {a, b}, "sum"), out = g.add(Add{0.5}, {sum, c}, "out");
  const std::vector<bool> all(g.nodes().size(), true);
  const std::vector<int> block = share_gradients(g, all, all);
  EXPECT_FALSE(block[std::size_t(a.id)] == sum.id && block[std::size_t(b.id)] == sum.id);
  EXPECT_EQ(block[std::size_t(sum.id)], sum.id);  // a scaled sum hands on another gradient
  EXPECT_EQ(block[std::size_t(out.id)], out.id);
}

// The same numbers lie elsewhere in another format, and may need more room.
TEST(GradientSharing, OnlyInTheFormatOfTheSum) {
  Graph g;
  const Value input = g.input("input", {2, 4, 1, 1});
  const Value x = g.add(Activate{}, {input}, "x"), b = g.add(Activate{}, {x}, "b"),
              sum = g.add(Add{}, {x, b}, "sum");
  const std::vector<bool> all(g.nodes().size(), true);
  std::vector<Format> formats(g.nodes().size());
  formats[std::size_t(b.id)].channel_block = 16;
  const std::vector<int> block = share_gradients(g, all, all, formats);
  EXPECT_EQ(block[std::size_t(x.id)], sum.id);
  EXPECT_EQ(block[std::size_t(b.id)], b.id);
}

TEST(GradientSharing, NotForTheSumOfAValueWithItself) {
  Graph g;
  const Value input = g.input("input", {1, 4, 2, 2});
  const Value x = g.add(Activate{}, {input}, "x"), sum = g.add(Add{}, {x, x}, "sum");
  const std::vector<bool> all(g.nodes().size(), true);
  EXPECT_EQ(share_gradients(g, all, all)[std::size_t(x.id)], x.id);
  static_cast<void>(sum);
}

}  // namespace
}  // namespace diffusion
