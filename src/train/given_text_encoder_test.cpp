// Training with a text encoder that is given and stays as it is.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "device/host_numbers.h"
#include "diffusers/pipeline.h"
#include "diffusers/scheduler_config.h"
#include "diffusion/network_evaluator.h"
#include "diffusion/text_encoding.h"
#include "files/fs.h"
#include "support/fixtures.h"
#include "support/scratch.h"
#include "support/small_words.h"
#include "train/presets.h"
#include "train/run.h"
#include "train/starting_model.h"
#include "words/train_tokenizer.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

constexpr int kGivenSide = 8, kGivenWidth = 24, kGivenLength = 7;

// The encoder is 24 wide, and the U-Net of the preset that is trained 16.
WordsConfig given_network(int width) {
  WordsConfig words = fixtures::small_words(kGivenSide, width, kGivenLength);
  words.text_encoder.num_hidden_layers = 2;
  return words;
}

Dataset captioned_squares() {
  std::vector<Image> images;
  std::vector<std::vector<std::string>> captions;
  for (int k = 0; k < 30; ++k) {
    images.push_back({kGivenSide, kGivenSide, 1, std::vector<std::uint8_t>(kGivenSide * kGivenSide, 8 * k)});
    captions.push_back({k % 2 == 0 ? "a dark square" : "a bright square", "gray"});
  }
  captions[3].clear();
  Dataset data = dataset_of(images, "squares");
  data.captions = Captions(captions);
  return data;
}

class GivenTextEncoder : public testing::Test {
 protected:
  GivenTextEncoder() {
    WordsConfig words = given_network(kGivenWidth);
    const std::vector<std::string> captions{"a dark square", "another text"};
    Tokenizer tokenizer =
        train_tokenizer(captions, {.vocabulary = kSmallestVocabulary + 9, .max_length = kGivenLength});
    words.text_encoder.vocab_size = int(tokenizer.size());
    const Preconditioner cosine(Objective::v, make_schedule(ScheduleKind::cosine, 100));
    Model model{words, cosine, {}, {}, sampling_of_new_model(cosine, true), ParamStore(layout_of(words))};
    model.tokenizer = std::move(tokenizer);
    model.params.initialize(77);
    fs::create_directories(folder_ / "given");
    write_pipeline(folder_ / "given", model, model.params.values());
  }

  TextEncoder encoder() const { return read_text_encoder(folder_ / "given"); }
  TrainConfig config(std::int64_t steps) const {
    TrainConfig c = preset_config("tiny");
    c.preset = "words";
    c.data = "squares";
    c.network = given_network(16);
    c.batch = 8;
    c.budget.steps = steps;
    c.preview_every = 0;
    c.optimizer = OptimizerKind::muon;
    c.seed = 5;
    return with_text_encoder(encoder(), c);
  }
  // Returns what it was told.
  std::vector<std::string> train(const std::string& run, std::int64_t steps, int stop_after = 0) const {
    return train(run, config(steps), stop_after);
  }
  std::vector<std::string> train(const std::string& run, const TrainConfig& c, int stop_after = 0) const {
    std::vector<std::string> told;
    TrainingRun training(
        c, captioned_squares(), folder_ / run, [&](const std::string& line) { told.push_back(line); }, {}, {},
        encoder());
    std::atomic<bool> stop = false;
    training.train([&](const StepReport& report) { stop = report.step == stop_after; }, stop);
    return told;
  }
  Model trained(const std::string& run) const { return read_pipeline(folder_ / run / "latest"); }

  const scratch::Folder folder_;
};

bool told_of_encoding(const std::vector<std::string>& told) {
  return std::ranges::any_of(
      told, [](const std::string& line) { return line.find("encoding 4 texts once") != std::string::npos; });
}

// The pipeline has its weights and its tokenizer; the U-Net sees words of its width and has learned.
TEST_F(GivenTextEncoder, StaysAsItIs) {
  EXPECT_TRUE(told_of_encoding(train("run", 3)));
  const Model model = trained("run");
  const TextEncoder given = encoder();
  for (const ParamLayout::Entry& entry : given.params.layout().entries())
    EXPECT_TRUE(std::ranges::equal(given.params.values(entry),
                                   model.params.values(*model.params.layout().find(entry.name))))
        << entry.name;
  EXPECT_EQ(*model.tokenizer, given.tokenizer);
  EXPECT_EQ(std::get<WordsConfig>(model.network).unet.words_width(), kGivenWidth);
  train("one", 1);
  const char* name = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight";
  EXPECT_FALSE(std::ranges::equal(model.params.values(*model.params.layout().find(name)),
                                  trained("one").params.values(*model.params.layout().find(name))));
}

// The encoder's states are those of the file: after a stop, and when the file was lost or broken.
TEST_F(GivenTextEncoder, AResumedRunIsTheSameBytes) {
  train("whole", 5);
  const Model whole = trained("whole");
  train("parts", 5, 2);
  EXPECT_FALSE(told_of_encoding(train("parts", 5, 3)));
  write_file(folder_ / "parts/hidden-states.safetensors", "broken");
  EXPECT_TRUE(told_of_encoding(train("parts", 5, 4)));
  fs::remove(folder_ / "parts/hidden-states.safetensors");
  EXPECT_TRUE(told_of_encoding(train("parts", 5)));
  EXPECT_TRUE(std::ranges::equal(whole.params.values(), trained("parts").params.values()));
}

// The Euclidean length of the difference in that of `expected`.
double relative_error(const std::vector<float>& values, const std::vector<float>& expected) {
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double(values.at(i)) - double(expected[i]), 2);
    length += std::pow(double(expected[i]), 2);
  }
  return std::sqrt(difference / length);
}

// Each run encodes the captions anew, by its own number of threads.
TEST_F(GivenTextEncoder, InSlicesTheBytesAreThoseOfAnyNumberOfThreads) {
  TrainConfig c = config(4);
  c.slices = 4;
  c.threads = 1;
  train("1", c);
  const Model one = trained("1");
  for (const int threads : {2, 3})
    for (const bool less_memory : {false, true}) {
      c.threads = threads;
      c.gradient_checkpointing = less_memory;
      const std::string run = std::to_string(threads) + (less_memory ? "-less" : "");
      EXPECT_TRUE(told_of_encoding(train(run, c)));
      EXPECT_TRUE(std::ranges::equal(one.params.values(), trained(run).params.values())) << run;
    }
}

TEST_F(GivenTextEncoder, SlicesComputeTheSameGradient) {
  TrainConfig c = config(3);
  c.precision = Precision::f32;
  const auto weights = [&](int slices) {
    c.slices = slices;
    const std::string run = std::to_string(slices);
    train(run, c);
    const Model model = trained(run);
    return std::vector<float>(model.params.values().begin(), model.params.values().end());
  };
  EXPECT_LT(relative_error(weights(4), weights(1)), 1e-3);  // another order of summation, nothing else
}

// The whole network, which encodes its tokens, and the U-Net alone, which is told the states: the same
// output and the same gradients.
TEST_F(GivenTextEncoder, GivesTheGradientsOfTheWholeNetwork) {
  const NetworkConfig network = with_given_text_encoder(given_network(16), encoder().config);
  const std::vector<float> times{3, 60};
  std::vector<float> x(2 * kGivenSide * kGivenSide), dy(x.size()), tokens(2 * kGivenLength, 9), f(x.size()),
      expected_f(x.size());
  tokens[3] = 11;
  fill_normal({1, Stream::init, 1, 0}, x);
  fill_normal({1, Stream::init, 2, 0}, dy);
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (precision == Precision::bf16 && !multiplies_bf16()) continue;
    const auto device = make_cpu_device(precision);
    ParamStore params(layout_of(network));
    params.initialize(4);
    LearnedParams learned(params, *device);
    const auto gradients = [&] {
      const HostNumbers numbers(learned.queue(), learned.grads());
      return std::vector<float>(numbers.span().begin(), numbers.span().end());
    };
    const Network net = make_network(network, 2, kGivenSide, kGivenSide);
    Plan plan(net.graph, net.output, *device, Mode::training, learned);
    plan.write_input(net.sample, x);
    plan.write_input(net.timestep, times);
    plan.write_input(net.condition(kTokensCondition)->value, tokens);
    plan.forward();
    plan.read_output(expected_f);
    plan.backward(dy);
    const std::vector<float> expected = gradients();
    EXPECT_TRUE(std::ranges::any_of(expected, [](float g) { return g != 0; }));

    learned.zero_grads();
    TextEncoding encoding(network, params, *device);
    const auto states = encoding.hidden_states(tokens);
    NetworkEvaluator evaluator(network, learned, *device, 2, kGivenSide, kGivenSide);
    evaluator.evaluate(x, times, {{"encoder_hidden_states", {states.begin(), states.end()}}}, f);
    evaluator.backward(dy);
    if (precision == Precision::f32) {
      EXPECT_EQ(f, expected_f);
      EXPECT_EQ(gradients(), expected);
    } else {  // attention computes in f32 when it trains, and multiplies pairs of bf16 when it does not
      EXPECT_LT(relative_error(f, expected_f), 2e-2);
      EXPECT_LT(relative_error(gradients(), expected), 2e-2);
    }
  }
}

TEST_F(GivenTextEncoder, ARunOfAnotherEncoderIsRefused) {
  train("run", 1);
  Model other = read_pipeline(folder_ / "given");
  other.params.initialize(78);
  write_pipeline(folder_ / "given", other, other.params.values());
  const fs::path states = folder_ / "run/hidden-states.safetensors";
  const std::string before = read_text_file(states, 1 << 20);
  const Error error = fixtures::error_of([&] { train("run", 1); });
  EXPECT_NE(std::string(error.what()).find("text_encoder"), std::string::npos) << error.what();
  EXPECT_TRUE(read_text_file(states, 1 << 20) == before) << "the run's own file is written over";
}

TEST_F(GivenTextEncoder, MayLieInADirectoryOfItsOwn) {
  fs::create_directories(folder_ / "alone");
  for (const char* part : {"text_encoder", "tokenizer"})
    for (const auto& entry : fs::directory_iterator(folder_ / "given" / part))
      fs::copy(entry.path(), folder_ / "alone" / entry.path().filename());
  const TextEncoder alone = read_text_encoder(folder_ / "alone");
  EXPECT_EQ(fingerprint_of(alone), fingerprint_of(encoder()));
  EXPECT_EQ(alone.config.hidden_size, kGivenWidth);
}

TEST_F(GivenTextEncoder, WhatIsMissingOrDoesNotFitIsNamed) {
  const auto error_of = [&](const auto& action) { return std::string(fixtures::error_of(action).what()); };
  EXPECT_NE(error_of([&] { with_text_encoder(encoder(), preset_config("tiny")); }).find("knows no words"),
            std::string::npos);
  NetworkConfig narrow = with_given_text_encoder(given_network(16), encoder().config);
  std::get<WordsConfig>(narrow).unet.cross_attention_dim = {16, 16};
  const std::string widths = error_of([&] { validate(narrow); });
  EXPECT_NE(widths.find("cross_attention_dim"), std::string::npos) << widths;
  EXPECT_NE(widths.find("24"), std::string::npos) << widths;
  fs::remove_all(folder_ / "given/tokenizer");
  const std::string missing = error_of([&] { encoder(); });
  EXPECT_NE(missing.find("no tokenizer"), std::string::npos) << missing;
  fs::remove_all(folder_ / "given/text_encoder");
  EXPECT_NE(error_of([&] { encoder(); }).find("no text encoder"), std::string::npos);
}

}  // namespace
}  // namespace diffusion
