#include "train/consistency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <diffusion/error.h>
#include "support/scratch.h"
#include "train/config.h"
#include "train/consistency_batch.h"

namespace diffusion {
namespace {

const ConsistencyTuning kPaper{.stages = 8, .q = 2, .k = 8, .b = 1};

// 1 - (1 + 8 / (1 + e^t)) / 2^a by hand.
TEST(Consistency, LowerLevelsFollowThePaper) {
  const auto ratio = [](double t, double progress) { return lower_level(kPaper, t, progress) / t; };
  EXPECT_EQ(ratio(0.01, 0), 0);                 // 1 - 4.98 / 2 is below 0
  EXPECT_NEAR(ratio(5, 0), 0.473229, 1e-6);     // 1 - 1.0535426 / 2
  EXPECT_NEAR(ratio(1000, 0), 0.5, 1e-12);      // n is 1
  EXPECT_NEAR(ratio(1, 0.25), 0.606058, 1e-6);  // stage 3: 1 - 3.1515314 / 8
  EXPECT_NEAR(ratio(1, 1), 1 - 3.15153137 / 256, 1e-9);
  EXPECT_NEAR(ratio(1e-9, 1), 1 - 5.0 / 256, 1e-9);
}

TEST(Consistency, StagesAreOfEqualLengthAndTheLastLasts) {
  for (int step = 0; step < 80; ++step) {
    const int stage = step / 10 + 1;
    EXPECT_NEAR(lower_level(kPaper, 1000, step / 80.0) / 1000, 1 - std::pow(0.5, stage), 1e-12) << step;
  }
  EXPECT_EQ(lower_level(kPaper, 3, 1), lower_level(kPaper, 3, 0.99));
}

TEST(Consistency, LowerLevelIsBelowTheLevelAndRises) {
  for (const double t : {1e-3, 0.1, 1.0, 7.0, 20000.0}) {
    double before = -1;
    for (const double progress : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
      const double r = lower_level(kPaper, t, progress);
      EXPECT_GE(r, 0);
      EXPECT_LT(r, t);
      EXPECT_GE(r, before);
      before = r;
    }
    EXPECT_GT(before, 0.97 * t);
  }
}

TEST(Consistency, LevelsAreLogNormalInTheRangeOfTheModel) {
  const Preconditioner edm(EdmProcess{.sigma_min = 0.1, .sigma_max = 2});
  EXPECT_EQ(level_at(kPaper, edm, 0.01), 0.1);
  EXPECT_NEAR(std::log(level_at(kPaper, edm, 0.5)), kPaper.p_mean, 1e-12);
  EXPECT_NEAR(std::log(level_at(kPaper, edm, 0.69146246127401312)), kPaper.p_mean + kPaper.p_std / 2, 1e-12);
  EXPECT_EQ(level_at(kPaper, edm, 0.99), 2);
}

struct LossCase {
  double c = 0.3;
  std::vector<float> prediction{0.5f, -1, 2, 0.25f, 1, 1};
  std::vector<float> target{0, 1, 2, 0.5f, 1, 1};  // the third sample has no error
  std::vector<double> scale{0.5, 2, 1}, weight{3, 0.25, 7};

  double loss(std::span<float> grad = {}) const {
    return consistency_loss(c, prediction, target, scale, weight, grad);
  }
};

TEST(Consistency, LossIsAHuberLossOfWholeImages) {
  const auto sample = [](double weight, double mean_square) {
    return weight * (std::sqrt(mean_square + 0.3 * 0.3) - 0.3);
  };
  EXPECT_NEAR(LossCase{}.loss(), (sample(3, 0.25 * 4.25 / 2) + sample(0.25, 4 * 0.0625 / 2)) / 3, 1e-12);
}

TEST(Consistency, GradientAgreesWithFiniteDifferences) {
  LossCase c;
  std::vector<float> grad(c.prediction.size(), 99);
  c.loss(grad);
  for (std::size_t i = 0; i < grad.size(); ++i) {
    constexpr float kStep = 1.0f / 1024;
    const float kept = c.prediction[i];
    c.prediction[i] = kept + kStep;
    const double above = c.loss();
    c.prediction[i] = kept - kStep;
    const double slope = (above - c.loss()) / (2 * kStep);
    c.prediction[i] = kept;
    EXPECT_NEAR(grad[i], slope, 2e-5 * std::max(1.0, std::abs(slope))) << i;
  }
}

TEST(Consistency, LossWithoutErrorHasNoGradientEvenWithoutHuber) {
  const std::vector<float> same{1, 2};
  std::vector<float> grad(2, 99);
  EXPECT_EQ(consistency_loss(0, same, same, std::vector{1.0}, std::vector{1.0}, grad), 0);
  EXPECT_EQ(grad, (std::vector<float>{0, 0}));
}

TEST(Consistency, LossRefusesWhatDoesNotFitAndPassesNaNOn) {
  const std::vector<float> two{1, 2}, three{1, 2, 3};
  const std::vector<double> one{1};
  EXPECT_THROW(consistency_loss(0, two, three, one, one, {}), Error);
  EXPECT_THROW(consistency_loss(0, three, three, std::vector{1.0, 1.0}, std::vector{1.0, 1.0}, {}), Error);
  EXPECT_THROW(consistency_loss(0, {}, {}, {}, {}, {}), Error);
  const std::vector<float> nan{std::numeric_limits<float>::quiet_NaN(), 0};
  EXPECT_TRUE(std::isnan(consistency_loss(0, nan, two, one, one, {})));
}

TEST(Consistency, StagesOutOfRangeAreRefused) {
  for (const int stages : {0, -3, 21}) {
    const std::string message =
        scratch::error_of(ErrorKind::usage, [&] { validate(ConsistencyTuning{.stages = stages}); });
    EXPECT_NE(message.find("stages is " + std::to_string(stages)), std::string::npos) << message;
  }
}

// Data N(0, s^2): the ODE's solution is x -> x s / sqrt(s^2 + t^2), the consistency function.
constexpr double kStd = 0.7;
double exact_consistency(double x, double t) {
  return x * kStd / std::hypot(kStd, t);
}

// One batch of images of one pixel each, as BatchMaker makes it.
TrainingBatch gaussian_batch(const Preconditioner& preconditioner, const std::vector<double>& y,
                             const std::vector<double>& noise, const std::vector<double>& sigmas) {
  TrainingBatch batch;
  batch.sigmas = sigmas;
  batch.weights.resize(sigmas.size());
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    const Scalings c = preconditioner.scalings(sigmas[i]);
    const double x = y[i] + sigmas[i] * noise[i];
    batch.input.push_back(float(c.c_in * x));
    batch.target.push_back(float((y[i] - c.c_skip * x) / c.c_out));
    batch.timesteps.push_back(float(c.c_noise));
  }
  return batch;
}

class ConsistencyOfObjective : public ::testing::TestWithParam<Objective> {
 protected:
  static Preconditioner preconditioner() {
    if (GetParam() == Objective::edm) return Preconditioner(EdmProcess{});
    if (GetParam() == Objective::flow) return Preconditioner(RectifiedFlow{});
    return {GetParam(), make_schedule(ScheduleKind::cosine, 1000)};
  }
};

// The inputs at r are those of the same y and n, and the targets make D at t what D at r is.
TEST_P(ConsistencyOfObjective, TheTwoLevelsShareImageAndNoise) {
  const Preconditioner model = preconditioner();
  const std::vector<double> y{0.4, -0.9, 0.1, 0.7}, noise{1.2, -0.3, 0.8, -2}, sigmas{0.02, 0.9, 4, 60};
  TrainingBatch batch = gaussian_batch(model, y, noise, sigmas);
  const std::vector<float> clean_targets = batch.target;
  ConsistencyBatch lower(kPaper, model);
  constexpr double kProgress = 0.2;  // stage 2
  lower.make(batch, kProgress);
  EXPECT_EQ(lower_level(kPaper, sigmas[0], kProgress), 0);
  for (std::size_t i = 1; i < y.size(); ++i) {
    const double r = lower_level(kPaper, sigmas[i], kProgress);
    ASSERT_GT(r, 0);
    const Scalings c = model.scalings(r);
    EXPECT_NEAR(lower.input()[i], c.c_in * (y[i] + r * noise[i]), 1e-4) << i;
    EXPECT_NEAR(lower.timesteps()[i], c.c_noise, 1e-4 * std::abs(c.c_noise)) << i;
    EXPECT_NEAR(batch.weights[i], 1 / (sigmas[i] - r), 1e-9) << i;
  }
  const std::vector<float> output{0.3f, -0.2f, 0.6f, 0.1f};
  lower.set_targets(0, std::span(output).first(2), batch);  // in parts
  lower.set_targets(2, std::span(output).last(2), batch);
  EXPECT_EQ(batch.target[0], clean_targets[0]);  // r is 0: y itself
  for (std::size_t i = 1; i < y.size(); ++i) {
    const double t = sigmas[i], r = lower_level(kPaper, t, kProgress);
    const Scalings at_t = model.scalings(t), at_r = model.scalings(r);
    const double d_t = at_t.c_skip * (y[i] + t * noise[i]) + at_t.c_out * batch.target[i];
    const double d_r = at_r.c_skip * (y[i] + r * noise[i]) + at_r.c_out * output[i];
    EXPECT_NEAR(d_t, d_r, 1e-4) << i;
    EXPECT_EQ(lower.error_scale()[i], std::abs(at_t.c_out)) << i;
  }
}

// For the exact consistency function the mean error is of second order in t - r, so it vanishes as r comes
// closer; for the best denoiser it is of first order and pulls away from it.
TEST_P(ConsistencyOfObjective, TheExactFunctionIsAFixedPoint) {
  const Preconditioner model = preconditioner();
  constexpr std::size_t kCount = 40000;
  std::vector<double> y(kCount), noise(kCount), sigmas(kCount, 1.5);
  fill_normal({.seed = 1}, std::span(y));
  fill_normal({.seed = 2}, std::span(noise));
  for (double& value : y) value *= kStd;

  // The mean over the batch of target - answer times answer, which is what moves the one free factor of a
  // linear model.
  const auto pull = [&](auto&& function, double progress) {
    TrainingBatch batch = gaussian_batch(model, y, noise, sigmas);
    ConsistencyBatch lower(kPaper, model);
    lower.make(batch, progress);
    const double t = sigmas[0], r = lower_level(kPaper, t, progress);
    const Scalings at_t = model.scalings(t), at_r = model.scalings(r);
    std::vector<float> output(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      const double x = y[i] + r * noise[i];
      output[i] = float((function(x, r) - at_r.c_skip * x) / at_r.c_out);
    }
    lower.set_targets(0, output, batch);
    double sum = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      const double x = y[i] + t * noise[i], answer = function(x, t);
      sum += (at_t.c_skip * x + at_t.c_out * batch.target[i] - answer) * answer;
    }
    return sum / kCount / (1 - r / t);
  };
  const double late = pull(exact_consistency, 1);
  EXPECT_NEAR(late, 0, 0.01);
  EXPECT_GT(std::abs(pull(exact_consistency, 0.2)), 2 * std::abs(late));
  const auto denoiser = [](double x, double t) { return x * kStd * kStd / (kStd * kStd + t * t); };
  // -t dD/dt along the ODE times D, in the mean: t^2 s^4 / (s^2 + t^2)^2.
  const double expected = std::pow(sigmas[0] * kStd * kStd / (kStd * kStd + sigmas[0] * sigmas[0]), 2);
  EXPECT_NEAR(pull(denoiser, 1), expected, 0.01);
}

INSTANTIATE_TEST_SUITE_P(All, ConsistencyOfObjective,
                         ::testing::Values(Objective::epsilon, Objective::v, Objective::x0, Objective::edm,
                                           Objective::flow),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace diffusion
