#include <diffusion/train.h>

#include <gtest/gtest.h>

#include <algorithm>

#include <diffusion/models.h>
#include "data/shapes.h"
#include "diffusion/model.h"
#include "support/scratch.h"
#include "support/small_words.h"
#include "train/presets.h"
#include "train/run.h"
#include "train/set_field.h"

namespace diffusion {
namespace {

std::string refusal(const char* field, const TrainValue& value) {
  TrainConfig config;
  return scratch::error_of(ErrorKind::usage, [&] { set_field(find_field(field), value, config); });
}

TEST(SetField, TakesValuesOfTheFieldsKind) {
  TrainConfig config;
  set_field(find_field("batch"), 7, config);
  set_field(find_field("learning_rate"), 1e-3, config);
  set_field(find_field("clip"), 2, config);  // a whole number is a number
  set_field(find_field("flip"), true, config);
  set_field(find_field("objective"), "flow", config);
  set_field(find_field("save_every"), 11, config);
  set_field(find_field("minutes"), 1.5, config);
  EXPECT_EQ(config.batch, 7);
  EXPECT_EQ(config.learning_rate, 1e-3);
  EXPECT_EQ(config.clip, 2);
  EXPECT_TRUE(config.flip);
  EXPECT_EQ(config.objective, Objective::flow);
  EXPECT_EQ(config.save_every, 11);
  EXPECT_EQ(config.budget.minutes, 1.5);
}

TEST(SetField, RefusalsNameTheField) {
  EXPECT_EQ(refusal("batch", 1.5), "batch is 1.5; accepted is a whole number");
  EXPECT_EQ(refusal("batch", std::int64_t(1) << 40), "batch is 1099511627776; accepted is a whole number");
  EXPECT_EQ(refusal("seed", -1), "seed is -1; accepted is a whole number");
  EXPECT_EQ(refusal("learning_rate", "fast"), "learning_rate is \"fast\"; accepted is a number");
  EXPECT_EQ(refusal("flip", 1), "flip is 1; accepted is true or false");
  EXPECT_EQ(refusal("objective", "noise"), "objective is \"noise\"; accepted are: epsilon, v, x0, edm, flow");
  EXPECT_EQ(refusal("objective", 3), "objective is 3; accepted is a name");
  EXPECT_EQ(refusal("network", "large"), "network is \"large\"; accepted is what data and preset say");
  const std::string unknown = scratch::error_of(ErrorKind::usage, [] { find_field("lr"); });
  EXPECT_NE(unknown.find("learning_rate"), std::string::npos) << unknown;
}

class TrainingTest : public ::testing::Test {
 protected:
  static TrainOptions quick(std::int64_t steps) {
    return {.preset = "tiny",
            .fields = {{"steps", steps}, {"batch", 8}, {"precision", "f32"}, {"preview_every", 0}}};
  }
  std::vector<float> weights(const char* run) const {
    const auto model = read_model(folder_ / run);
    return {model->params.values().begin(), model->params.values().end()};
  }

  const Dataset images_ = make_shapes(60, 0);
  scratch::Folder folder_;
};

TEST_F(TrainingTest, IsTheRunOfThoseFields) {
  std::int64_t reported = 0;
  Training training(images_, folder_ / "public", quick(3));
  EXPECT_EQ(training.total_steps(), 3);
  EXPECT_TRUE(training.run([&](const StepReport& step) { reported += step.step; }));
  EXPECT_EQ(reported, 1 + 2 + 3);
  EXPECT_EQ(training.step(), 3);
  EXPECT_GT(training.seconds(), 0);

  TrainConfig config = preset_config("tiny");
  config.data = images_.name;
  config.batch = 8;
  config.precision = Precision::f32;
  config.preview_every = 0;
  config.budget = {.minutes = {}, .steps = 3, .epochs = {}};
  TrainingRun(config, images_, folder_ / "inside", [](const std::string&) {
  }).train([](const StepReport&) {}, false);
  EXPECT_EQ(weights("public"), weights("inside"));
}

TEST_F(TrainingTest, StopsWhenAskedAndGoesOn) {
  Training(images_, folder_ / "whole", quick(4)).run();
  std::stop_source source;
  Training training(images_, folder_ / "parts", quick(4));
  EXPECT_FALSE(training.run(
      [&](const StepReport& step) {
        if (step.step == 2) source.request_stop();
      },
      source.get_token()));
  EXPECT_EQ(training.step(), 2);
  { const Training over = std::move(training); }  // gives up the lock
  Training again(images_, folder_ / "parts", quick(4));
  EXPECT_EQ(again.step(), 2);
  EXPECT_TRUE(again.run());
  EXPECT_EQ(weights("whole"), weights("parts"));
}

TEST_F(TrainingTest, SlicesOfAPresetGiveWayToTheBatch) {
  TrainOptions words = quick(1);
  words.preset = "words-64";  // 4 slices
  words.fields["batch"] = 6;
  const Dataset squares = fixtures::gray_squares(6, 16);
  EXPECT_EQ(Training(squares, folder_ / "words", words).step(), 0);
  words.fields["slices"] = 4;
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { Training(squares, folder_ / "4", words); });
  EXPECT_NE(message.find("slices is 4"), std::string::npos) << message;
}

TEST_F(TrainingTest, StartsFromAModelWhichDecidesWhatItIs) {
  Training(images_, folder_ / "first", quick(2)).run();
  TrainOptions further = quick(1);
  further.start = folder_ / "first";
  EXPECT_TRUE(Training(images_, folder_ / "second", further).run());
  further.fields["objective"] = "epsilon";
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { Training(images_, folder_ / "third", further); });
  EXPECT_NE(message.find("objective"), std::string::npos) << message;
}

}  // namespace
}  // namespace diffusion
