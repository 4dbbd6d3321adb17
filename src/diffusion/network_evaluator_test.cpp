#include "diffusion/network_evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "device/device.h"
#include "device/host_numbers.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

constexpr int kSide = 16;
constexpr std::size_t kStateSize = 2 * kSide * kSide;  // numbers of a sample

UNetConfig small_unet() {
  UNetConfig c;
  c.sample_size = {kSide, kSide};
  c.in_channels = c.out_channels = 2;
  c.block_out_channels = {16, 32};
  c.down_block_attention = {false, true};
  c.up_block_attention = {true, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.attention_head_dim = 8;
  c.class_embed_type = ClassEmbedding::table;
  c.num_class_embeds = 4;
  return c;
}

Preconditioner cosine(Objective objective = Objective::v) {
  return {objective, make_schedule(ScheduleKind::cosine, 100)};
}

Model model_of(const NetworkConfig& network, const Preconditioner& preconditioner = cosine()) {
  Model model{network, preconditioner, {}, {}, {}, ParamStore(layout_of(network))};
  model.params.initialize(3);
  return model;
}

// Of the five samples of these tests.
const std::vector<SampleLevel> kLevels{{0.05}, {0.7, 31.0}, {9}, {0.7}, {2.5, 80.5}};
const std::vector<int> kLabels{2, 0, 3, 1, 2};

std::vector<double> numbers(std::size_t count, std::uint32_t key) {
  std::vector<double> values(count);
  fill_normal({1, Stream::init, key, 0}, values);
  return values;
}

std::vector<double> states(std::size_t size = kStateSize) {
  std::vector<double> x = numbers(kLevels.size() * size, 1);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= std::hypot(0.5, kLevels[i / size].sigma);
  return x;
}

// D of the samples first, first + 1, ..., `count` of them.
std::vector<double> denoised(NetworkEvaluator& evaluator, const Model& model, std::size_t first,
                             std::size_t count) {
  const std::vector<double> x = states();
  std::vector<double> d(count * kStateSize);
  evaluator.denoise(std::span(x).subspan(first * kStateSize, d.size()),
                    std::span(kLevels).subspan(first, count),
                    class_labels(model, std::span(kLabels).subspan(first, count)), d);
  return d;
}

std::string usage_error(const std::function<void()>& action) {
  return scratch::error_of(ErrorKind::usage, action);
}

void expect_contains(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(NetworkEvaluator, ASampleDoesNotDependOnTheOthersOfItsCall) {
  const Model model = model_of(small_unet());
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (precision == Precision::bf16 && !multiplies_bf16()) continue;
    SCOPED_TRACE(to_string(precision));
    const auto device = make_cpu_device(precision);
    NetworkEvaluator one(model, *device, 1, kSide, kSide), several(model, *device, 5, kSide, kSide);
    std::vector<double> alone;
    for (std::size_t k = 0; k < 5; ++k)
      for (const double value : denoised(one, model, k, 1)) alone.push_back(value);
    for (std::size_t count = 1; count <= 5; ++count)
      EXPECT_EQ(denoised(several, model, 0, count),
                std::vector<double>(alone.begin(), alone.begin() + std::ptrdiff_t(count * kStateSize)))
          << count;
    // Noise levels and labels are told apart.
    const std::vector<double> same(alone.begin() + kStateSize, alone.begin() + 2 * kStateSize);
    EXPECT_NE(same, std::vector<double>(alone.begin() + 3 * kStateSize, alone.begin() + 4 * kStateSize));
  }
}

TEST(NetworkEvaluator, DIsMadeOfF) {
  const Model model = model_of(small_unet(), cosine(Objective::epsilon));
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(model, *device, 5, kSide, kSide);
  const std::vector<double> x = states();
  std::vector<float> input(x.size()), times, output(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    input[i] = float(model.preconditioner.scalings(kLevels[i / kStateSize].sigma).c_in * x[i]);
  for (const SampleLevel& level : kLevels)
    times.push_back(float(level.timestep.value_or(model.preconditioner.scalings(level.sigma).c_noise)));
  evaluator.evaluate(input, times, class_labels(model, kLabels), output);
  std::vector<double> expected(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Scalings s = model.preconditioner.scalings(kLevels[i / kStateSize].sigma);
    expected[i] = s.c_skip * x[i] + s.c_out * double(output[i]);
  }
  EXPECT_EQ(denoised(evaluator, model, 0, 5), expected);
  std::vector<double> in_place = x;
  evaluator.denoise(in_place, kLevels, class_labels(model, kLabels), in_place);
  EXPECT_EQ(in_place, expected);
}

TEST(NetworkEvaluator, PlansComeAndGo) {
  const Model model = model_of(small_unet());
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator one_plan(model, *device, 5, kSide, kSide),
      two_plans(model, *device, 5, kSide, kSide, NetworkEvaluator::Use::values, 2);
  EXPECT_EQ(one_plan.network().graph.shape(one_plan.network().sample).n, 5);
  const std::size_t most = one_plan.arena_bytes();
  int kernels = 0;
  two_plans.set_observer([&](const StepTiming&) { ++kernels; });
  const std::vector<double> all = denoised(one_plan, model, 0, 5);
  for (const std::size_t count : {5u, 3u, 5u, 2u, 3u, 5u, 2u})
    for (NetworkEvaluator* evaluator : {&one_plan, &two_plans}) {
      kernels = 0;
      const std::vector<double> d = denoised(*evaluator, model, 0, count);
      EXPECT_TRUE(std::ranges::equal(d, std::span(all).first(count * kStateSize)));
      EXPECT_EQ(evaluator->network().graph.shape(evaluator->network().sample).n, std::int64_t(count));
      EXPECT_EQ(evaluator == &two_plans, kernels > 0);
    }
  EXPECT_LT(one_plan.arena_bytes(), most);  // that of two samples alone
  EXPECT_GT(two_plans.arena_bytes(), most);
  EXPECT_LT(two_plans.arena_bytes(), 2 * most);
}

// Two on one model, with the halves of the work.
TEST(NetworkEvaluator, SeveralThreadsShareAModel) {
  const Model model = model_of(small_unet());
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator one(model, *device, 1, kSide, kSide);
  std::vector<std::vector<double>> expected, found(5);
  for (std::size_t k = 0; k < 5; ++k) expected.push_back(denoised(one, model, k, 1));
  const auto work = [&](std::size_t first) {
    NetworkEvaluator own(model, *device, 1, kSide, kSide);
    for (int again = 0; again < 3; ++again)
      for (std::size_t k = first; k < 5; k += 2) found[k] = denoised(own, model, k, 1);
  };
  std::thread even(work, 0), odd(work, 1);
  even.join();
  odd.join();
  EXPECT_EQ(found, expected);
}

TEST(NetworkEvaluator, SeesChangedWeights) {
  Model model = model_of(small_unet());
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(model, *device, 2, kSide, kSide);
  const std::vector<double> before = denoised(evaluator, model, 0, 2);
  model.params.initialize(4);
  EXPECT_NE(denoised(evaluator, model, 0, 2), before);
}

// probe^T dD/dx along a direction, and from D at four places on it, with an error that falls as h^4.
TEST(NetworkEvaluator, ProductsAreThoseOfDifferences) {
  constexpr std::size_t size = 64;
  UNetConfig network = small_unet();
  network.in_channels = network.out_channels = 1;
  network.block_out_channels = {8};
  network.down_block_attention = network.up_block_attention = {true};
  network.dropout = 0.5;
  const std::unique_ptr<Device> device = make_reference_device();
  const std::vector<double> x = states(size), probe = numbers(x.size(), 2), direction = numbers(x.size(), 3);
  for (const Preconditioner& preconditioner :
       {cosine(Objective::epsilon), cosine(Objective::v), cosine(Objective::x0), Preconditioner(EdmProcess{}),
        Preconditioner(RectifiedFlow{})}) {
    SCOPED_TRACE(to_string(preconditioner.objective()));
    const Model model = model_of(network, preconditioner);
    const Conditions labels = class_labels(model, kLabels);
    NetworkEvaluator values(model, *device, 5, 8, 8),
        products(model, *device, 5, 8, 8, NetworkEvaluator::Use::products);
    std::vector<double> d(x.size()), d2(x.size()), product(x.size());
    values.denoise(x, kLevels, labels, d);
    products.denoise(x, kLevels, labels, probe, d2, product);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(d[i], d2[i], 1e-6 * (1 + std::abs(d[i])));

    std::array<double, 5> by_product{}, by_difference{};
    for (const auto& [places, weight] :
         {std::pair{-2, 1.0 / 12}, {-1, -2.0 / 3}, {1, 2.0 / 3}, {2, -1.0 / 12}}) {
      std::vector<double> moved = x;
      const auto step = [&](std::size_t k) { return 0.02 * std::hypot(0.5, kLevels[k].sigma); };
      for (std::size_t i = 0; i < x.size(); ++i) moved[i] += places * step(i / size) * direction[i];
      values.denoise(moved, kLevels, labels, d);
      for (std::size_t i = 0; i < x.size(); ++i)
        by_difference[i / size] += probe[i] * weight * d[i] / step(i / size);
    }
    for (std::size_t i = 0; i < x.size(); ++i) by_product[i / size] += product[i] * direction[i];
    for (std::size_t k = 0; k < 5; ++k)
      EXPECT_NEAR(by_product[k], by_difference[k], 2e-4 * (1 + std::abs(by_difference[k]))) << k;
  }
}

TEST(NetworkEvaluator, TrainsAsAPlanDoes) {
  UNetConfig network = small_unet();
  network.dropout = 0.5;
  const auto device = make_cpu_device(Precision::f32);
  const RunContext context{7, 3};
  std::vector<float> input(2 * kStateSize), dy(2 * kStateSize), f(2 * kStateSize), expected_f(2 * kStateSize);
  fill_normal({1, Stream::init, 4, 0}, input);
  fill_normal({1, Stream::init, 5, 0}, dy);
  const std::vector<float> times{3.25f, 80}, labels{0, 3};

  Model model = model_of(network);
  const Network net = make_network(network, 2, kSide, kSide);
  LearnedParams learned(model.params, *device);
  const auto gradients = [&] {
    const HostNumbers numbers(learned.queue(), learned.grads());
    return std::vector<float>(numbers.span().begin(), numbers.span().end());
  };
  Plan plan(net.graph, net.output, *device, Mode::training, learned);
  plan.write_input(net.sample, input);
  plan.write_input(net.timestep, times);
  plan.write_input(net.condition(kClassCondition)->value, labels);
  plan.forward(context);
  plan.read_output(expected_f);
  plan.backward(dy, context);
  const std::vector<float> expected = gradients();
  EXPECT_TRUE(std::ranges::any_of(expected, [](float g) { return g != 0; }));

  learned.zero_grads();
  NetworkEvaluator evaluator(network, learned, *device, 2, kSide, kSide);
  evaluator.evaluate(input, times, {{"class", labels}}, f, context);
  evaluator.backward(dy, context);
  EXPECT_EQ(f, expected_f);
  EXPECT_EQ(gradients(), expected);
}

TEST(NetworkEvaluator, ALearnedEmbeddingIsToldTheNearestRow) {
  UNetConfig network = small_unet();
  network.time_embedding_type = TimeEmbedding::learned;
  network.num_train_timesteps = 100;
  const Model model = model_of(network);
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(model, *device, 1, kSide, kSide);
  const std::vector<double> x = numbers(kStateSize, 1);
  const auto d_at = [&](double timestep) {
    std::vector<double> d(kStateSize);
    evaluator.denoise(x, std::vector<SampleLevel>{{0.7, timestep}}, {{"class", {1}}}, d);
    return d;
  };
  const auto f_at = [&](float timestep) {
    std::vector<float> input(x.begin(), x.end()), f(kStateSize);
    evaluator.evaluate(input, std::vector<float>{timestep}, {{"class", {1}}}, f);
    return f;
  };
  EXPECT_NE(d_at(31), d_at(32));
  for (const auto& [told, row] :
       {std::pair{31.4, 31}, {31.5, 32}, {31.6, 32}, {-3.0, 0}, {-0.4, 0}, {99.4, 99}, {250.0, 99}}) {
    EXPECT_EQ(d_at(told), d_at(row)) << told;
    EXPECT_EQ(f_at(float(told)), f_at(float(row))) << told;
  }
  // What the preconditioner says between two levels of the table.
  std::vector<double> between(kStateSize);
  const double sigma =
      0.5 * (model.preconditioner.schedule()->sigma(31) + model.preconditioner.schedule()->sigma(32));
  evaluator.denoise(x, std::vector<SampleLevel>{{sigma}}, {{"class", {1}}}, between);
  EXPECT_TRUE(std::ranges::all_of(between, [](double v) { return std::isfinite(v); }));

  EXPECT_EQ(told_timestep({}, 31.4), 31.4);
  EXPECT_EQ(told_timestep({}, -3), -3);
}

TEST(NetworkEvaluator, ConditionsMustBeThoseOfTheNetwork) {
  const Model model = model_of(small_unet());
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(model, *device, 2, kSide, kSide);
  const std::vector<double> x(2 * kStateSize);
  const auto error_with = [&](const Conditions& conditions) {
    return usage_error([&] {
      std::vector<double> d(x.size());
      evaluator.denoise(x, std::vector<SampleLevel>{{1}, {2}}, conditions, d);
    });
  };
  expect_contains(error_with({}), {"needs the condition \"class\"", "given are: none"});
  expect_contains(error_with({{"text", {0, 1}}}), {"needs the condition \"class\"", "given are: \"text\""});
  expect_contains(error_with({{"class", {0, 1}}, {"text", {}}}), {"\"text\"", "accepted are: \"class\""});
  expect_contains(error_with({{"class", {0, 1, 2}}}),
                  {"\"class\" has 3 numbers for 2 samples", "1 a sample"});
  for (const float wrong : {-1.f, 4.f, 0.5f, std::nanf("")})
    expect_contains(error_with({{"class", {0, wrong}}}), {"\"class\" of sample 1", "from 0 to 3"});

  expect_contains(usage_error([&] {
                    class_labels(model, std::array{1, 4});
                  }),
                  {"label 4 is not a class", "0 to 3"});
  expect_contains(usage_error([&] { class_labels(model, std::array{-1}); }), {"label -1 is not a class"});
  EXPECT_EQ(class_labels(model, kLabels), (Conditions{{"class", {2, 0, 3, 1, 2}}}));
}

TEST(NetworkEvaluator, ConditionsThatAreNoTable) {
  UNetConfig config = small_unet();
  config.class_embed_type = ClassEmbedding::none;
  const Model plain = model_of(config);
  config.class_embed_type = ClassEmbedding::identity;
  const Model vector = model_of(config);
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator of_plain(plain, *device, 1, kSide, kSide), of_vector(vector, *device, 1, kSide, kSide);
  const std::vector<double> x = numbers(kStateSize, 1);
  const std::vector<SampleLevel> level{{1}};
  std::vector<double> d(kStateSize), d2(kStateSize);
  of_plain.denoise(x, level, class_labels(plain, {}), d);
  expect_contains(usage_error([&] {
                    of_plain.denoise(x, level, {{"class", {0}}}, d);
                  }),
                  {"takes no condition \"class\"", "accepted are: none"});
  expect_contains(usage_error([&] { class_labels(plain, std::array{0}); }), {"knows no classes"});

  Conditions embedding{{"class", std::vector<float>(64)}};
  of_vector.denoise(x, level, embedding, d);
  embedding["class"][5] = 0.5f;
  of_vector.denoise(x, level, embedding, d2);
  EXPECT_NE(d, d2);
  expect_contains(usage_error([&] {
                    of_vector.denoise(x, level, {{"class", {0}}}, d);
                  }),
                  {"\"class\" has 1 number"});
  expect_contains(usage_error([&] { class_labels(vector, std::array{0}); }), {"class tables"});
}

TEST(NetworkEvaluator, RefusesWhatDoesNotFit) {
  UNetConfig network = small_unet();
  network.class_embed_type = ClassEmbedding::none;
  Model model = model_of(network);
  network.out_channels = 4;  // a network that also says a variance
  const Model two = model_of(network);
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(model, *device, 2, kSide, kSide), of_two(two, *device, 1, kSide, kSide);
  const std::vector<double> x(3 * kStateSize);
  std::vector<double> d(3 * kStateSize);
  const std::vector<SampleLevel> three{{1}, {1}, {1}};
  expect_contains(usage_error([&] { evaluator.denoise(x, three, {}, d); }), {"3 samples", "1 to 2"});
  expect_contains(usage_error([&] { evaluator.denoise({}, {}, {}, {}); }), {"0 samples", "1 to 2"});
  const auto some = [&](std::size_t states, std::size_t results) {
    return usage_error([&] {
      evaluator.denoise(std::span(x).first(states), std::span(three).first(2), {},
                        std::span(d).first(results));
    });
  };
  expect_contains(some(2 * kStateSize - 1, 2 * kStateSize), {"states", "1023 numbers", "2 samples of 512"});
  expect_contains(some(2 * kStateSize, kStateSize), {"denoised images", "512 numbers"});
  expect_contains(usage_error([&] { NetworkEvaluator(model, *device, 0, kSide, kSide); }), {"0 samples"});
  const auto one = std::span(x).first(kStateSize);
  const auto one_d = std::span(d).first(kStateSize);
  expect_contains(usage_error([&] { of_two.denoise(one, std::span(three).first(1), {}, one_d); }),
                  {"2 input and 4 output channels"});
  std::vector<float> f(2 * kStateSize);
  of_two.evaluate(std::vector<float>(kStateSize), std::vector<float>{1}, {}, f);

  NetworkEvaluator raw(model.network, model.params, *device, 1, kSide, kSide);
  EXPECT_THROW(raw.denoise(one, std::span(three).first(1), {}, one_d), Error);
  EXPECT_THROW(evaluator.denoise(one, std::span(three).first(1), {}, one, one_d, one_d), Error);
  raw.evaluate(std::vector<float>(kStateSize), std::vector<float>{1}, {}, std::span(f).first(kStateSize));
  EXPECT_THROW(raw.backward(std::span(f).first(kStateSize)), Error);
}

}  // namespace
}  // namespace diffusion
