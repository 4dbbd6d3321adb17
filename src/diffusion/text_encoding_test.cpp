#include "diffusion/text_encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "diffusion/network_evaluator.h"
#include "nn/network_copies.h"
#include "support/guarded_device.h"

namespace diffusion {
namespace {

constexpr int kTextSide = 16, kTextLength = 6, kVocabulary = 40;

WordsConfig small_words() {
  WordsConfig words;
  words.text_encoder = {.vocab_size = kVocabulary,
                        .hidden_size = 24,
                        .intermediate_size = 48,
                        .num_hidden_layers = 2,
                        .num_attention_heads = 2,
                        .max_position_embeddings = kTextLength};
  ConditionalUNetConfig& unet = words.unet;
  unet.sample_size = {kTextSide, kTextSide};
  unet.in_channels = unet.out_channels = 2;
  unet.block_out_channels = {16, 32};
  unet.down_block_attention = {true, true};
  unet.up_block_attention = {true, true};
  unet.only_cross_attention = {false, false};
  unet.layers_per_block = {1, 1};
  unet.transformer_layers_per_block = {1, 1};
  unet.heads = {2, 2};
  unet.cross_attention_dim = {24, 24};
  unet.norm_num_groups = 4;
  unet.class_embed_type = ConditionalUNetConfig::ClassEmbedding::table;
  unet.num_class_embeds = 3;
  return words;
}

ParamStore params_of(const WordsConfig& words) {
  ParamStore params(layout_of(words));
  params.initialize(3);
  return params;
}

// Of the texts of these numbers.
std::vector<float> tokens_of(std::initializer_list<int> texts) {
  std::vector<float> tokens;
  for (const int text : texts)
    for (int t = 0; t < kTextLength; ++t) tokens.push_back(float((text * 7 + t * 3) % kVocabulary));
  return tokens;
}

std::vector<std::shared_ptr<const Device>> devices() {
  std::vector<std::shared_ptr<const Device>> list{make_cpu_device(Precision::f32),
                                                  make_guarded_device(make_cpu_device(Precision::f32))};
  if (multiplies_bf16()) list.push_back(make_cpu_device(Precision::bf16));
  return list;
}

// The whole network as one plan, which encodes each row anew, and the evaluator say the same bytes.
TEST(TextEncoding, LeavesTheNetworkAsItIs) {
  const WordsConfig words = small_words();
  const ParamStore params = params_of(words);
  const std::vector<float> tokens = tokens_of({0, 1, 1, 2}), classes{0, 1, 2, 0}, times{3, 80, 80, 999};
  std::vector<float> x(4 * 2 * kTextSide * kTextSide), whole(x.size()), parts(x.size());
  fill_normal({1, Stream::init, 1, 0}, x);
  for (const auto& device : devices()) {
    const Network net = frozen(make_network(words, 4, kTextSide, kTextSide));
    Plan plan(net.graph, net.output, *device, Mode::inference, params);
    plan.write_input(net.sample, x);
    plan.write_input(net.timestep, times);
    plan.write_input(net.condition(kTokensCondition)->value, tokens);
    plan.write_input(net.condition(kClassCondition)->value, classes);
    plan.forward();
    plan.read_output(whole);

    NetworkEvaluator evaluator(words, params, *device, 4, kTextSide, kTextSide);
    evaluator.evaluate(x, times, {{"tokens", tokens}, {"class", classes}}, parts);
    EXPECT_EQ(parts, whole);

    TextEncoding encoding(words, params, *device);
    const auto states = encoding.hidden_states(tokens);
    std::ranges::fill(parts, 0.f);
    evaluator.evaluate(
        x, times, {{"encoder_hidden_states", {states.begin(), states.end()}}, {"class", classes}}, parts);
    EXPECT_EQ(parts, whole);
  }
}

// The same numbers whether the network takes the mean by itself or is told it as its class.
TEST(TextEncoding, ItsMeanIsTheClassWhereTheConfigSaysSo) {
  WordsConfig told = small_words();
  told.unet.class_embed_type = ConditionalUNetConfig::ClassEmbedding::projection;
  told.unet.num_class_embeds = 0;
  told.unet.projection_class_embeddings_input_dim = told.text_encoder.hidden_size;
  WordsConfig words = told;
  words.unet.class_is_mean_of_words = true;
  EXPECT_EQ(traits_of(words).conditions.size(), 1u);
  const ParamStore params = params_of(words);
  const std::vector<float> tokens = tokens_of({0, 1, 2}), times{3, 80, 999};
  std::vector<float> x(3 * 2 * kTextSide * kTextSide), expected(x.size()), found(x.size());
  fill_normal({1, Stream::init, 1, 0}, x);
  const auto device = make_cpu_device(Precision::f32);

  TextEncoding encoding(words, params, *device);
  const auto states = encoding.hidden_states(tokens);
  std::vector<float> means;
  for (std::size_t k = 0; k < states.size(); k += kTextLength)
    means.push_back(std::accumulate(states.begin() + std::ptrdiff_t(k),
                                    states.begin() + std::ptrdiff_t(k + kTextLength), 0.f) /
                    kTextLength);
  NetworkEvaluator(told, params, *device, 3, kTextSide, kTextSide)
      .evaluate(x, times, {{"tokens", tokens}, {"class", means}}, expected);
  NetworkEvaluator evaluator(words, params, *device, 3, kTextSide, kTextSide);
  evaluator.evaluate(x, times, {{"tokens", tokens}}, found);
  double largest = 0;
  for (std::size_t k = 0; k < x.size(); ++k)
    largest = std::max(largest, std::abs(double(found[k] - expected[k])));
  EXPECT_LT(largest, 1e-5);  // the means are rounded in another order

  std::vector<float> without(x.size());
  NetworkEvaluator(told, params, *device, 3, kTextSide, kTextSide)
      .evaluate(x, times, {{"tokens", tokens}, {"class", std::vector<float>(means.size())}}, without);
  EXPECT_NE(without, expected);
}

TEST(TextEncoding, ComputesEachTextOnce) {
  const WordsConfig words = small_words();
  ParamStore params = params_of(words);
  const auto device = make_cpu_device(Precision::f32);
  TextEncoding encoding(words, params, *device);
  const auto of = [&](std::initializer_list<int> texts) {
    const auto states = encoding.hidden_states(tokens_of(texts));
    return std::vector<float>(states.begin(), states.end());
  };
  const std::vector<float> zero = of({0}), one = of({1});
  EXPECT_NE(zero, one);
  EXPECT_EQ(encoding.computed(), 2u);
  std::vector<float> expected = one;
  expected.insert(expected.end(), zero.begin(), zero.end());
  expected.insert(expected.end(), one.begin(), one.end());
  EXPECT_EQ(of({1, 0, 1}), expected);
  EXPECT_EQ(encoding.computed(), 2u);
  of({2, 2, 0});
  EXPECT_EQ(encoding.computed(), 3u);

  params.initialize(4);
  EXPECT_NE(of({0}), zero);
  EXPECT_EQ(encoding.computed(), 4u);
}

TEST(TextEncoding, ConditionsMustBeTokensOrStates) {
  const WordsConfig words = small_words();
  const ParamStore params = params_of(words);
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(words, params, *device, 1, kTextSide, kTextSide);
  std::vector<float> x(2 * kTextSide * kTextSide);
  const auto error_with = [&](const Conditions& conditions) {
    try {
      evaluator.evaluate(x, std::vector<float>{1}, conditions, x);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(error_with({{"class", {0}}}).find("needs the condition \"tokens\""), std::string::npos);
  EXPECT_NE(error_with({{"class", {0}}, {"tokens", std::vector<float>(kTextLength, kVocabulary)}})
                .find("from 0 to 39"),
            std::string::npos);
  EXPECT_NE(error_with({{"class", {0}}, {"encoder_hidden_states", {1, 2}}})
                .find("\"encoder_hidden_states\" has 2 numbers"),
            std::string::npos);
}

}  // namespace
}  // namespace diffusion
