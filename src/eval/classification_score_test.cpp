#include "eval/classification_score.h"

#include <gtest/gtest.h>

#include <cmath>

#include <diffusion/device.h>
#include "base/rng.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

// 8 x 8 pictures: class 0 is a bright column, class 1 a bright row.
Dataset stripes(int count, std::uint32_t number) {
  std::vector<std::uint8_t> pixels(std::size_t(count) * 64);
  std::vector<std::uint16_t> labels;
  for (int i = 0; i < count; ++i) {
    const int place = int(uniform_below({8, Stream::init, number, 0}, 8, std::uint32_t(i)));
    labels.push_back(std::uint16_t(i % 2));
    for (int k = 0; k < 8; ++k)
      pixels[std::size_t(i * 64 + (i % 2 == 0 ? 8 * k + place : 8 * place + k))] = std::uint8_t(200 + i % 50);
  }
  return {"stripes", 8, 8, 1, std::move(pixels), std::move(labels), {"column", "row"}};
}

class ClassificationScoreTest : public testing::Test {
 protected:
  ClassificationScoreTest() { set_threads(1); }
  ~ClassificationScoreTest() override { set_threads(threads_); }

  ClassificationScore score_of(const Dataset& samples, const Dataset& test) const {
    const auto device = make_cpu_device(Precision::f32);
    return classification_score(config_, samples, test, training_, *device);
  }

  const ClassifierConfig config_{{8, 8}, 1, {"column", "row"}, {8, 16}, 1, 4};
  const ClassifierTraining training_{.epochs = 6, .batch = 16, .learning_rate = 1e-2, .shift = 1};

 private:
  int threads_ = thread_count();
};

TEST_F(ClassificationScoreTest, OfGoodSamplesIsHigh) {
  const ClassificationScore score = score_of(stripes(64, 1), stripes(60, 2));
  EXPECT_GT(score.accuracy.value, 0.95);
  EXPECT_LE(score.accuracy.interval.low, score.accuracy.value);
  EXPECT_GE(score.accuracy.interval.high, score.accuracy.value);
  EXPECT_EQ(score.steps, 24);
}

// Each picture once with each label: there is nothing to learn.
TEST_F(ClassificationScoreTest, OfScrambledLabelsIsChance) {
  const Dataset once = stripes(32, 1);
  const auto bytes = once.pixels.bytes();
  std::vector<std::uint8_t> pixels(bytes.begin(), bytes.end());
  pixels.insert(pixels.end(), bytes.begin(), bytes.end());
  Dataset samples{once.name, 8, 8, 1, std::move(pixels), once.labels, once.class_names};
  for (const std::uint16_t label : once.labels) samples.labels.push_back(std::uint16_t(1 - label));
  EXPECT_NEAR(score_of(samples, stripes(100, 2)).accuracy.value, 0.5, 0.3);
}

TEST_F(ClassificationScoreTest, OfSwappedLabelsIsZero) {
  Dataset samples = stripes(64, 1);
  for (std::uint16_t& label : samples.labels) label = std::uint16_t(1 - label);
  EXPECT_LT(score_of(samples, stripes(60, 2)).accuracy.value, 0.05);
}

TEST_F(ClassificationScoreTest, StepsAreThoseOfTheRealImages) {
  for (const int samples : {500, 10000, 60000}) {
    const ClassifierTraining training = classification_training(samples, 60000);
    EXPECT_NEAR(training.epochs * samples / training.batch,
                ClassifierTraining{}.epochs * 60000 / training.batch, 1e-6);
  }
}

TEST_F(ClassificationScoreTest, Refusals) {
  const Dataset good = stripes(32, 1);
  Dataset unlabeled = good, others = good, one_class = good, wide = good;
  unlabeled.labels.clear();
  others.class_names = {"row", "column"};
  for (std::uint16_t& label : one_class.labels) label = 1;
  wide.width = 16;
  wide.labels.resize(16);
  const auto refusal = [&](const Dataset& samples, const Dataset& test) {
    return fixtures::error_of([&] { score_of(samples, test); });
  };
  for (const Dataset* bad : {&unlabeled, &others, &wide}) {
    EXPECT_EQ(refusal(*bad, good).kind(), ErrorKind::usage);
    EXPECT_EQ(refusal(good, *bad).kind(), ErrorKind::usage);
  }
  const Error error = refusal(one_class, good);
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_NE(std::string(error.what()).find("column"), std::string::npos);
}

}  // namespace
}  // namespace diffusion
