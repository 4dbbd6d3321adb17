// 36 randomly drawn text encoders, with their gradients, against transformers: tests/golden/
// text_encoder_random.json, made by make_random_text_encoder_goldens.py. Weights and tokens come from the
// formula that the script documents.

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
#include "nn/text_encoder.h"

namespace diffusion {
namespace {

constexpr char kTextEncoders[] = "text_encoder_random.json";

// A golden's network, its weights and its tokens.
class TextEncoderTrial {
 public:
  TextEncoderTrial(const Json& golden, std::size_t number)
      : golden_(golden),
        first_(2000 * std::uint32_t(number)),
        config_(parse_text_encoder_config(golden::at(golden, "config"), "golden")) {
    const std::int64_t texts = to_int(golden::at(golden, "texts"), "texts");
    length_ = to_int(golden::at(golden, "tokens"), "tokens");
    std::vector<float> tokens = golden::uniforms(first_ + 1000, std::size_t(texts * length_));
    for (float& token : tokens) token = float(std::floor((double(token) + 1) / 2 * config_.vocab_size));
    inputs_.push_back({graph_.input("tokens", {texts, 1, length_, 1}), tokens});
    output_ = text_encoder(graph_, config_, inputs_[0].value);
    params_.emplace(ParamLayout(graph_));
    golden::fill_weights(*params_, first_, "-", 1);
  }

  std::uint32_t hash_of_names() const { return golden::hash_of_names(params_->layout()); }

  // [N,T,C], as in transformers.
  std::vector<double> output(const Device& device) const {
    return golden::transposed(golden::output_of(graph_, output_, inputs_, *params_, device),
                              std::size_t(config_.hidden_size), std::size_t(length_));
  }

  double gradient_difference(const Device& device) {
    const std::size_t size = std::size_t(graph_.shape(output_).elements());
    const std::vector<float> loss =
        golden::transposed(golden::uniforms(first_ + 1001, size, std::sqrt(3.0)), std::size_t(length_),
                           std::size_t(config_.hidden_size));
    return golden::gradient_difference(
        golden::at(golden_, "grads"),
        golden::gradients_of(graph_, output_, inputs_, 0, *params_, device, loss), first_ + 1002);
  }

 private:
  const Json& golden_;
  std::uint32_t first_;
  TextEncoderConfig config_;
  std::int64_t length_;
  Graph graph_;
  std::vector<golden::Input> inputs_;
  Value output_;
  std::optional<ParamStore> params_;
};

std::string encoder_name(std::size_t number, const Json& golden) {
  return fmt::format("case {}: {}", number, dump_json(golden::at(golden, "config")));
}

TEST(RandomTextEncoders, AgreeWithTransformersTo1e5) {
  const auto device = make_cpu_device(Precision::f32);
  const Json::Array goldens = golden::cases(kTextEncoders);
  ASSERT_GE(goldens.size(), 30u);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); ++number) {
    SCOPED_TRACE(encoder_name(number, goldens[number]));
    const TextEncoderTrial trial(goldens[number], number);
    EXPECT_EQ(trial.hash_of_names(), to_int(golden::at(goldens[number], "keys"), "keys"));
    const double difference = golden::output_difference(goldens[number], trial.output(*device));
    EXPECT_LE(difference, 1e-5);  // absolute; outputs have a standard deviation of about 1
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

TEST(RandomTextEncoders, HaveTheGradientsOfTransformersTo1e4) {
  const auto device = make_cpu_device(Precision::f32);
  const Json::Array goldens = golden::cases(kTextEncoders);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); ++number) {
    SCOPED_TRACE(encoder_name(number, goldens[number]));
    const double difference = TextEncoderTrial(goldens[number], number).gradient_difference(*device);
    EXPECT_LE(difference, 1e-4);
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

// bf16 has 8 significant bits, and each layer rounds. Measured with AVX512-BF16: 0.011 at most.
TEST(RandomTextEncoders, InBf16DifferByAFewHundredthsOfTheDeviation) {
  if (!multiplies_bf16()) GTEST_SKIP() << "this CPU does not multiply bf16";
  const auto device = make_cpu_device(Precision::bf16);
  const Json::Array goldens = golden::cases(kTextEncoders);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); number += 3) {
    SCOPED_TRACE(encoder_name(number, goldens[number]));
    const std::vector<double> output = TextEncoderTrial(goldens[number], number).output(*device);
    const double difference = golden::relative_output_difference(goldens[number], output);
    EXPECT_LE(difference, 0.03);
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

// Otherwise agreement would say nothing about a field.
TEST(RandomTextEncoders, MoveEveryFieldOffItsDefault) {
  const Json defaults = to_json(TextEncoderConfig());
  const Json::Array goldens = golden::cases(kTextEncoders);
  for (const char* field : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                            "num_attention_heads", "max_position_embeddings", "hidden_act", "layer_norm_eps"})
    EXPECT_TRUE(std::ranges::any_of(goldens, [&](const Json& golden) {
      const Json* drawn = golden::at(golden, "config").find(field);
      return drawn && *drawn != golden::at(defaults, field);
    })) << field;
}

}  // namespace
}  // namespace diffusion
