// PlanOptions::gradient_checkpointing on whole networks: the same bytes with less memory.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "device/device.h"
#include "device/host_numbers.h"
#include "nn/network.h"
#include "plan/plan.h"
#include "support/guarded_device.h"
#include "support/small_words.h"

namespace diffusion {
namespace {

constexpr int kPictures = 2, kPictureSide = 16, kReferenceSide = 8;

UNetConfig unet_with_dropout() {
  UNetConfig c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16, 32};
  c.down_block_attention = {false, true};
  c.up_block_attention = {true, false};
  c.layers_per_block = 2;
  c.norm_num_groups = 8;
  c.attention_head_dim = 16;
  c.dropout = 0.3;
  return c;
}

WordsConfig words_with_dropout() {
  WordsConfig words = fixtures::small_words(kPictureSide, 16, 5);
  words.text_encoder.vocab_size = 30;
  words.text_encoder.num_hidden_layers = 2;
  ConditionalUNetConfig& unet = words.unet;
  unet.down_block_attention = unet.up_block_attention = {true, true};
  unet.transformer_layers_per_block = {1, 2};
  unet.dropout = 0.3;
  return words;
}

ConvNextConfig convnext() {
  ConvNextConfig c;
  c.dim = 24;
  c.heads = 2;
  c.head_dim = 8;
  c.dim_mults = {1, 2};
  c.channels = 1;
  return c;
}

std::vector<float> normal_numbers(std::int64_t count, std::uint32_t key) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_normal({1, Stream::train_noise, key, 0}, values);
  return values;
}

struct Step {
  std::vector<float> output, gradients;
  std::vector<double> input_gradient;
  std::size_t bytes = 0;
};

Step step_of(const NetworkConfig& config, const Device& device, int side, bool gradient_checkpointing) {
  const Network net = make_network(config, kPictures, side, side);
  ParamStore params{ParamLayout(net.graph)};
  params.initialize(1);
  LearnedParams learned(params, device);
  Plan plan(net.graph, net.output, device, Mode::training, learned,
            {.poison = true, .input_grads = true, .gradient_checkpointing = gradient_checkpointing});
  const std::int64_t numbers = net.graph.shape(net.sample).elements();
  plan.write_input(net.sample, normal_numbers(numbers, 0));
  plan.write_input(net.timestep, std::vector<float>{3, 700});
  for (const Network::Condition& condition : net.conditions)
    plan.write_input(condition.value, std::vector<float>(std::size_t(kPictures * condition.traits.size), 7));
  Step step;
  step.output.resize(std::size_t(numbers));
  step.input_gradient.resize(std::size_t(numbers));
  const RunContext context{.seed = 4, .step = 2};
  for (int run = 0; run < 2; ++run) {  // gradients of the second are added to those of the first
    plan.forward(context);
    plan.read_output(step.output);
    plan.backward(normal_numbers(numbers, 1), context);
  }
  plan.read_input_grad(net.sample, step.input_gradient);
  const HostNumbers gradients(learned.queue(), learned.grads());
  step.gradients.assign(gradients.span().begin(), gradients.span().end());
  step.bytes = plan.arena_bytes();
  return step;
}

struct Subject {
  std::string name;
  NetworkConfig config;
  double most;  // of the memory without
};

class GradientCheckpointing : public testing::TestWithParam<Subject> {};
INSTANTIATE_TEST_SUITE_P(Networks, GradientCheckpointing,
                         testing::Values(Subject{"unet", unet_with_dropout(), 0.65},
                                         Subject{"words", words_with_dropout(), 0.5},
                                         Subject{"convnext", convnext(), 0.75}),
                         [](const auto& test) { return test.param.name; });

TEST_P(GradientCheckpointing, GivesTheSameBytesWithLessMemory) {
  std::vector<std::shared_ptr<const Device>> devices{make_cpu_device(Precision::f32),
                                                     make_guarded_device(make_cpu_device(Precision::f32)),
                                                     make_reference_device()};
  if (multiplies_bf16()) devices.push_back(make_cpu_device(Precision::bf16));
  for (std::size_t k = 0; k < devices.size(); ++k) {
    SCOPED_TRACE(k);
    const int side = devices[k]->name() == make_reference_device()->name() ? kReferenceSide : kPictureSide;
    const Step all = step_of(GetParam().config, *devices[k], side, false),
               less = step_of(GetParam().config, *devices[k], side, true);
    EXPECT_EQ(less.output, all.output);
    EXPECT_EQ(less.input_gradient, all.input_gradient);
    EXPECT_EQ(less.gradients, all.gradients);
    if (side == kPictureSide) {
      EXPECT_LT(double(less.bytes), GetParam().most * double(all.bytes));
    }
  }
}

// What is not computed again is not in a block, or nobody needs it again: an inference is as ever.
TEST(Plan, GradientCheckpointingChangesNoInference) {
  const Network net = make_network(unet_with_dropout(), kPictures, kPictureSide, kPictureSide);
  ParamStore params{ParamLayout(net.graph)};
  const auto device = make_cpu_device(Precision::f32);
  const auto bytes = [&](bool gradient_checkpointing) {
    return Plan(net.graph, net.output, *device, Mode::inference, params,
                {.gradient_checkpointing = gradient_checkpointing})
        .arena_bytes();
  };
  EXPECT_EQ(bytes(true), bytes(false));
}

}  // namespace
}  // namespace diffusion
