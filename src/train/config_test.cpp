#include "train/config.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "support/tiny_run.h"
#include "train/config_checks.h"
#include "train/learner.h"
#include "train/presets.h"

namespace diffusion {
namespace {

using fixtures::tiny_config;

TEST(TrainConfig, ImpossibleChoicesAreRefusedByName) {
  const auto message = [](auto change) {
    TrainConfig c = tiny_config(1);
    change(c);
    try {
      validate(c);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(message([](TrainConfig& c) { c.batch = 0; }).find("batch is 0"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.accumulate = 3; }).find("accumulate is 3"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.slices = 3; }).find("slices is 3"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.learning_rate = std::nan(""); }).find("learning_rate is "),
            std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.learning_rate = -1; }).find("learning_rate is "),
            std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.budget.minutes = 1; }).find("exactly one"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.budget.steps = 0; }).find("steps is 0"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) {
              std::get<UNetConfig>(c.network).norm_num_groups = 5;
            }).find("norm_num_groups"),
            std::string::npos);
  EXPECT_EQ(message([](TrainConfig&) {}), "accepted");
}

TEST(TrainConfig, LearningRateRisesAndFalls) {
  EXPECT_DOUBLE_EQ(learning_rate_factor(0.1, 0), 0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(0.1, 0.05), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_factor(0.1, 0.1), 1);
  EXPECT_NEAR(learning_rate_factor(0.1, 0.55), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate_factor(0.1, 1), 0, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate_factor(0, 0), 1);
}

// What the tutorial's framework gives for 10 epochs from 1e-4 to 1e-7.
TEST(TrainConfig, StaircaseHasTheTutorialsRates) {
  const double rates[] = {1.0e-4,   9.755e-5, 9.046e-5, 7.941e-5, 6.549e-5,
                          5.005e-5, 3.461e-5, 2.069e-5, 9.64e-6,  2.54e-6};
  for (std::uint64_t epoch = 0; epoch < 10; ++epoch)
    EXPECT_NEAR(staircase_cosine(1e-7, 1e-4, 10, epoch), rates[epoch], 6e-9) << epoch;
  EXPECT_DOUBLE_EQ(staircase_cosine(1e-7, 1e-4, 10, 25), 1e-7);
}

TEST(TrainConfig, DataChooseThePreset) {
  EXPECT_EQ(preset_for(""), "fashion-mnist");
  EXPECT_EQ(preset_for("fashion-mnist"), "fashion-mnist");
  EXPECT_EQ(preset_for("mnist"), "mnist");
  EXPECT_EQ(preset_for("cifar10"), "cifar10");
  EXPECT_EQ(preset_for("photos"), "fashion-mnist");
  EXPECT_EQ(preset_for(std::array{28, 28}), "fashion-mnist");
  EXPECT_EQ(preset_for(std::array{48, 32}), "fashion-mnist");
  EXPECT_EQ(preset_for(std::array{32, 49}), "folder-64");
  EXPECT_EQ(preset_config("cifar10").data, "cifar10");
  EXPECT_TRUE(preset_config("folder-64").data.empty());
}

TEST(TrainConfig, TutorialIsTheTutorial) {
  const TrainConfig c = preset_config("tutorial");
  ASSERT_TRUE(std::holds_alternative<ConvNextConfig>(c.network));
  EXPECT_EQ(c.batch, 16);
  EXPECT_EQ(c.timesteps, 200);
  EXPECT_EQ(c.loss, LossKind::huber);
  EXPECT_EQ(c.budget.epochs, 10);
  EXPECT_FALSE(c.ema_exponent.has_value());
  EXPECT_FALSE(c.clip_samples);
  EXPECT_TRUE(c.flip);
  // The weight is there and does nothing.
  const Preconditioner preconditioner = make_preconditioner(c);
  for (double sigma : {0.01, 1.0, 2.5}) EXPECT_EQ(loss_weight(c.weighting, preconditioner, sigma), 1);
  EXPECT_NEAR(preconditioner.schedule()->terminal_snr(), 0.152, 5e-4);
}

TEST(TrainConfig, TutorialFixedEndsInNoise) {
  const TrainConfig c = preset_config("tutorial-fixed");
  EXPECT_FALSE(terminal_snr_warning(*make_preconditioner(c).schedule()).has_value());
  EXPECT_TRUE(c.ema_exponent.has_value());
  EXPECT_TRUE(c.clip_samples);
  EXPECT_FALSE(c.flip);
  EXPECT_EQ(c.batch, preset_config("tutorial").batch);
  EXPECT_EQ(c.budget.epochs, preset_config("tutorial").budget.epochs);
}

TEST(TrainConfig, EmaForgetsTheStartAndWidensWithTheRun) {
  EXPECT_EQ(ema_decay(6.94, 1), 0);  // the first average is the first value
  // The weight of step k in the average at step n is proportional to k^exponent: check against the recursion.
  const int n = 50;
  std::vector<double> weight(n + 1, 0);
  for (int k = 1; k <= n; ++k) {
    const double decay = ema_decay(6.94, k);
    for (double& w : weight) w *= decay;
    weight[std::size_t(k)] += 1 - decay;
  }
  double mean = 0, total = 0;
  for (int k = 1; k <= n; ++k) {
    mean += weight[std::size_t(k)] * k;
    total += weight[std::size_t(k)];
  }
  EXPECT_NEAR(total, 1, 1e-12);
  EXPECT_NEAR(mean / n, (6.94 + 1) / (6.94 + 2), 0.02);  // of the power function t^6.94 on [0, 1]
}

}  // namespace
}  // namespace diffusion
