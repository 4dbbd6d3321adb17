#include "eval/cross_entropy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {
namespace {

TEST(CrossEntropy, EqualLogitsSayNothing) {
  const std::vector<float> logits(30, 5.f);
  const std::array labels{0, 4, 9};
  EXPECT_NEAR(cross_entropy_and_grad(logits, labels, 0, {}), std::log(10), 1e-12);
  EXPECT_NEAR(cross_entropy_and_grad(logits, labels, 0.3, {}), std::log(10), 1e-12);
}

TEST(CrossEntropy, LargeLogitsNeitherOverflowNorLoseTheLoss) {
  const std::array logits{3000.f, 0.f};
  std::array<float, 2> grad{};
  EXPECT_EQ(cross_entropy_and_grad(logits, std::array{0}, 0, grad), 0);
  EXPECT_EQ(grad, (std::array{0.f, 0.f}));
  EXPECT_EQ(cross_entropy_and_grad(logits, std::array{1}, 0, grad), 3000);
  EXPECT_EQ(grad, (std::array{1.f, -1.f}));
}

TEST(CrossEntropy, GradientIsTheSlope) {
  const std::vector<float> logits{0.5f, -1, 2, 0, 1, -0.25f};
  const std::array labels{2, 0};
  std::vector<float> grad(6);
  cross_entropy_and_grad(logits, labels, 0.2, grad);
  for (std::size_t i = 0; i < 6; ++i) {
    auto up = logits, down = logits;
    up[i] += 0.0078125f;
    down[i] -= 0.0078125f;
    const double slope =
        (cross_entropy_and_grad(up, labels, 0.2, {}) - cross_entropy_and_grad(down, labels, 0.2, {})) /
        0.015625;
    EXPECT_NEAR(grad[i], slope, 1e-5);
  }
}

TEST(CrossEntropy, NanPassesThroughAndNonsenseIsRefused) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(cross_entropy_and_grad(std::array{1.f, nan}, std::array{0}, 0, {})));
  const std::array logits{1.f, 2.f, 3.f, 4.f};
  std::array<float, 3> small{};
  EXPECT_THROW(cross_entropy_and_grad(logits, std::array{0, 2}, 0, {}), Error);
  EXPECT_THROW(cross_entropy_and_grad(logits, std::array{0, -1}, 0, {}), Error);
  EXPECT_THROW(cross_entropy_and_grad(logits, std::array{0, 0, 0}, 0, {}), Error);
  EXPECT_THROW(cross_entropy_and_grad(logits, std::span<const int>(), 0, {}), Error);
  EXPECT_THROW(cross_entropy_and_grad(logits, std::array{0, 1}, 0, small), Error);
  EXPECT_THROW(cross_entropy_and_grad(logits, std::array{0, 1}, 1, {}), Error);
  EXPECT_THROW(cross_entropy_and_grad(logits, std::array{0, 1}, nan, {}), Error);
}

}  // namespace
}  // namespace diffusion
