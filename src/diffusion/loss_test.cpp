#include "diffusion/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {
namespace {

constexpr LossKind kAllLosses[] = {LossKind::mse, LossKind::huber, LossKind::l1};
const std::vector<double> kOne{1};

TEST(LossTest, HandValues) {
  const std::vector<float> prediction{0.5f, 3, -2, 0}, target{0, 1, 0, 0};  // d = 0.5, 2, -2, 0
  const std::vector<double> weight{1, 3};
  std::vector<float> grad(4);
  EXPECT_DOUBLE_EQ(loss_and_grad(LossKind::mse, prediction, target, weight, grad), (0.25 + 4 + 3 * 4) / 4);
  EXPECT_EQ(grad, (std::vector<float>{0.25f, 1, -3, 0}));
  EXPECT_DOUBLE_EQ(loss_and_grad(LossKind::huber, prediction, target, weight, grad),
                   (0.125 + 1.5 + 3 * 1.5) / 4);
  EXPECT_EQ(grad, (std::vector<float>{0.125f, 0.25f, -0.75f, 0}));
}

TEST(LossTest, GradientIsTheFiniteDifference) {
  std::vector<float> prediction(24), target(24);
  fill_normal({.seed = 5, .sample = 1}, std::span(prediction));
  fill_normal({.seed = 5, .sample = 2}, std::span(target));
  const std::vector<double> weight{0.3, 1, 2.5};
  for (const LossKind kind : kAllLosses) {
    std::vector<float> grad(24);
    loss_and_grad(kind, prediction, target, weight, grad);
    for (std::size_t i = 0; i < prediction.size(); ++i) {
      const float middle = prediction[i], step = 0x1p-9f;
      prediction[i] = middle + step;
      const double up_at = prediction[i], up = loss_and_grad(kind, prediction, target, weight, {});
      prediction[i] = middle - step;
      const double down_at = prediction[i], down = loss_and_grad(kind, prediction, target, weight, {});
      prediction[i] = middle;
      EXPECT_NEAR(grad[i], (up - down) / (up_at - down_at), 2e-4) << to_string(kind) << " element " << i;
      EXPECT_NE(grad[i], 0);
    }
  }
}

TEST(LossTest, HuberIsSmoothAtOne) {
  std::vector<float> grad(1);
  const std::vector<float> zero{0}, below{std::nextafter(1.0f, 0.0f)}, one{1};
  EXPECT_NEAR(loss_and_grad(LossKind::huber, below, zero, kOne, grad), 0.5, 1e-6);
  EXPECT_NEAR(grad[0], 1, 1e-6);
  EXPECT_EQ(loss_and_grad(LossKind::huber, one, zero, kOne, grad), 0.5);
  EXPECT_EQ(grad[0], 1);
}

// The loss at step 0 of a network whose last layer starts at zero: E[huber(N(0, 1))].
TEST(LossTest, ZeroNetworkStartsAtTheKnownLoss) {
  constexpr int kCount = 400000;
  std::vector<float> noise(kCount), zero(kCount);
  fill_normal({.seed = 1, .stream = Stream::train_noise}, std::span(noise));
  // Standard deviations of one element: huber 0.47, mse sqrt(2).
  EXPECT_NEAR(loss_and_grad(LossKind::huber, zero, noise, kOne, {}), 0.42466, 4 * 0.47 / std::sqrt(kCount));
  EXPECT_NEAR(loss_and_grad(LossKind::mse, zero, noise, kOne, {}), 1, 4 * std::sqrt(2.0 / kCount));
}

TEST(LossTest, SumsInDouble) {
  // In float, adding 1e-4^2 two million times to 1 would stop at the rounding of 1.
  std::vector<float> prediction(2'000'001, 1e-4f), target(2'000'001, 0);
  prediction[0] = 1;
  const double expected = (1 + 2e6 * double(1e-4f) * double(1e-4f)) / 2'000'001;
  EXPECT_NEAR(loss_and_grad(LossKind::mse, prediction, target, kOne, {}) / expected, 1, 1e-9);
}

TEST(LossTest, NonFiniteValuesReachLossAndGradient) {
  const std::vector<float> target{0, 0};
  for (const LossKind kind : kAllLosses)
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::vector<float> grad(2);
      EXPECT_FALSE(std::isfinite(loss_and_grad(kind, std::vector{bad, 0.f}, target, kOne, grad)));
      EXPECT_FALSE(std::isfinite(grad[0]));
      EXPECT_EQ(grad[1], 0);
    }
}

TEST(LossTest, RefusesSizesThatDoNotFit) {
  const std::vector<float> four(4), three(3);
  const std::vector<double> two{1, 1}, three_weights{1, 1, 1};
  std::vector<float> grad(4);
  EXPECT_THROW(loss_and_grad(LossKind::mse, {}, {}, kOne, {}), Error);
  EXPECT_THROW(loss_and_grad(LossKind::mse, four, four, {}, grad), Error);
  EXPECT_THROW(loss_and_grad(LossKind::mse, four, four, three_weights, grad), Error);
  EXPECT_THROW(loss_and_grad(LossKind::mse, four, three, two, grad), Error);
  EXPECT_THROW(loss_and_grad(LossKind::mse, four, four, two, std::span(grad).first(3)), Error);
}

}  // namespace
}  // namespace diffusion
