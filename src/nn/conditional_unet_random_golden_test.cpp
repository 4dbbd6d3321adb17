// 36 randomly drawn networks, with their gradients, against diffusers: tests/golden/
// conditional_unet_random.json, made by make_random_conditional_unet_goldens.py. Weights and inputs come from
// the formula that the script documents.

#include <diffusion/device.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "device/cpu/cpu_device.h"
#include "golden_network.h"
#include "nn/conditional_unet.h"

namespace diffusion {
namespace {

using golden::Input;

constexpr char kConditionalUNets[] = "conditional_unet_random.json";

// A golden's network, its weights and what it is told.
class ConditionalUNetTrial {
 public:
  ConditionalUNetTrial(const Json& golden, std::size_t number, bool dropout)
      : golden_(golden), first_(2000 * std::uint32_t(number)), config_(config_of(golden, dropout)) {
    const std::vector<double> times = golden::numbers(golden::at(golden, "timesteps"));
    const std::int64_t n = std::int64_t(times.size());
    add("sample", {n, config_.in_channels, config_.sample_size[0], config_.sample_size[1]},
        [&](auto count) { return golden::uniforms(first_ + 1000, count, std::sqrt(3.0)); });
    add_words(n);
    const ConditionalUNetInputs in{inputs_[0].value,
                                   add("timestep", {n, 1, 1, 1}, [&](auto) { return floats(times); }),
                                   add_class(n),
                                   {inputs_[1].value, add_mask(n)}};
    output_ = conditional_unet(graph_, config_, in);
    params_.emplace(ParamLayout(graph_));
    golden::fill_weights(*params_, first_, "conv_out.", to_double(golden::at(golden, "gain"), "gain"));
  }

  std::vector<double> output(const Device& device) const {
    return golden::output_of(graph_, output_, inputs_, *params_, device);
  }

  std::uint32_t hash_of_names() const { return golden::hash_of_names(params_->layout()); }

  // Of the sample, the words, and all parameters; relative to their size.
  double gradient_difference(const Device& device) {
    const std::size_t size = std::size_t(graph_.shape(output_).elements());
    std::vector<std::vector<double>> grads = golden::gradients_of(
        graph_, output_, inputs_, 2, *params_, device, golden::uniforms(first_ + 1004, size, std::sqrt(3.0)));
    grads[1] = golden::transposed(grads[1], std::size_t(config_.words_width()), tokens());
    return std::max(
        {golden::gradient_difference(golden::at(golden_, "grads"), grads, first_ + 1005),
         golden::difference_of_some(golden::at(golden_, "grad_sample"), grads[0]) / size_of(grads[0]),
         golden::difference_of_some(golden::at(golden_, "grad_words"), grads[1]) / size_of(grads[1])});
  }

 private:
  static ConditionalUNetConfig config_of(const Json& golden, bool dropout) {
    ConditionalUNetConfig config = parse_conditional_unet_config(golden::at(golden, "config"), "golden");
    if (!dropout) config.dropout = 0;
    return config;
  }

  // Root mean square, or 1 if that is larger.
  static double size_of(const std::vector<double>& values) {
    double squares = 0;
    for (const double value : values) squares += value * value;
    return std::max(1.0, std::sqrt(squares / double(values.size())));
  }

  static std::vector<float> floats(const std::vector<double>& values) {
    return {values.begin(), values.end()};
  }

  std::size_t tokens() const { return std::size_t(to_int(golden::at(golden_, "tokens"), "tokens")); }

  template <class Numbers>
  Value add(const char* name, const Shape& shape, const Numbers& numbers) {
    inputs_.push_back({graph_.input(name, shape), numbers(std::size_t(shape.elements()))});
    return inputs_.back().value;
  }

  void add_words(std::int64_t n) {
    const std::size_t width = std::size_t(config_.words_width());
    add("words", {n, config_.words_width(), std::int64_t(tokens()), 1}, [&](auto count) {
      return golden::transposed(golden::uniforms(first_ + 1002, count, std::sqrt(3.0)), tokens(), width);
    });
  }

  std::optional<Value> add_class(std::int64_t n) {
    const std::optional<ConditionTraits> traits = class_condition(config_);
    if (!traits) return std::nullopt;
    const Json& labels = golden::at(golden_, "labels");
    return add("class", {n, traits->size, 1, 1}, [&](auto count) {
      return labels == Json("vectors") ? golden::uniforms(first_ + 1001, count)
                                       : floats(golden::numbers(labels));
    });
  }

  std::optional<Value> add_mask(std::int64_t n) {
    if (!to_bool(golden::at(golden_, "masked"), "masked")) return std::nullopt;
    return add("mask", {n, 1, std::int64_t(tokens()), 1}, [&](auto count) {
      std::vector<float> mask = golden::uniforms(first_ + 1003, count);
      for (std::size_t i = 0; i < count; ++i) mask[i] = i % tokens() == 0 || mask[i] > -0.3f ? 1 : 0;
      return mask;
    });
  }

  const Json& golden_;
  std::uint32_t first_;
  ConditionalUNetConfig config_;
  Graph graph_;
  std::vector<Input> inputs_;  // sample, words, and others
  Value output_;
  std::optional<ParamStore> params_;
};

std::string case_name(std::size_t number, const Json& golden) {
  return fmt::format("case {}: {}", number, dump_json(golden::at(golden, "config")));
}

TEST(RandomConditionalUNets, AgreeWithDiffusersTo1e5) {
  const auto device = make_cpu_device(Precision::f32);
  const Json::Array goldens = golden::cases(kConditionalUNets);
  ASSERT_GE(goldens.size(), 30u);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); ++number) {
    SCOPED_TRACE(case_name(number, goldens[number]));
    const ConditionalUNetTrial trial(goldens[number], number, true);
    EXPECT_EQ(trial.hash_of_names(), to_int(golden::at(goldens[number], "keys"), "keys"));
    const double difference = golden::output_difference(goldens[number], trial.output(*device));
    EXPECT_LE(difference, 1e-5);  // absolute; outputs have a standard deviation of about 0.5
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

TEST(RandomConditionalUNets, HaveTheGradientsOfDiffusersTo1e4) {
  const auto device = make_cpu_device(Precision::f32);
  const Json::Array goldens = golden::cases(kConditionalUNets);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); ++number) {
    SCOPED_TRACE(case_name(number, goldens[number]));
    ConditionalUNetTrial trial(goldens[number], number, false);
    const double difference = trial.gradient_difference(*device);
    EXPECT_LE(difference, 1e-4);
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

// bf16 has 8 significant bits, and each layer rounds. Measured with AVX512-BF16: 0.044 at most.
TEST(RandomConditionalUNets, InBf16DifferByAFewHundredthsOfTheDeviation) {
  if (!multiplies_bf16()) GTEST_SKIP() << "this CPU does not multiply bf16";
  const auto device = make_cpu_device(Precision::bf16);
  const Json::Array goldens = golden::cases(kConditionalUNets);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); number += 3) {
    SCOPED_TRACE(case_name(number, goldens[number]));
    const std::vector<double> output = ConditionalUNetTrial(goldens[number], number, true).output(*device);
    const double difference = golden::relative_output_difference(goldens[number], output);
    EXPECT_LE(difference, 0.08);
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

TEST(RandomConditionalUNets, MoveEveryFieldOffItsDefault) {
  EXPECT_EQ(golden::fields_never_moved(golden::cases(kConditionalUNets), to_json(ConditionalUNetConfig())),
            std::vector<std::string>());
}

}  // namespace
}  // namespace diffusion
