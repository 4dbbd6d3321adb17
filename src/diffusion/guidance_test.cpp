#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace diffusion {
namespace {

// slope x + sigma, and counts its calls.
Denoiser affine(double slope, int* calls) {
  return [=](std::span<const double> x, double sigma, std::span<double> denoised) {
    ++*calls;
    ASSERT_EQ(denoised.size(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) denoised[i] = slope * x[i] + sigma;
  };
}

std::vector<double> apply(const Denoiser& denoise, const std::vector<double>& x, double sigma) {
  std::vector<double> denoised(x.size());
  denoise(x, sigma, denoised);
  return denoised;
}

TEST(GuidanceTest, ClipLimitsTheEstimateOnly) {
  int calls = 0;
  const Denoiser clipped = clip_denoised(affine(1, &calls), -1, 0.5);
  EXPECT_EQ(apply(clipped, {-7, -0.75, 0, 0.25, 9}, 0.125),
            (std::vector<double>{-1, -0.625, 0.125, 0.375, 0.5}));
  EXPECT_TRUE(std::isnan(apply(clipped, {std::nan("")}, 0.125)[0]));
  for (const double low : {0.5, 1.0, std::nan("")}) EXPECT_THROW(clip_denoised(clipped, low, 0.5), Error);
}

TEST(GuidanceTest, ClassifierFreeGuidanceExtrapolates) {
  int conditional_calls = 0, unconditional_calls = 0;
  const Denoiser guided =
      classifier_free_guidance(affine(3, &conditional_calls), affine(1, &unconditional_calls), 2.5);
  // uncond = x + 1, cond = 3 x + 1: uncond + 2.5 (2 x)
  EXPECT_EQ(apply(guided, {-1, 0, 2}, 1), (std::vector<double>{-5, 1, 13}));
  EXPECT_EQ(apply(guided, {4}, 1), std::vector<double>{25});  // another batch size
  EXPECT_EQ(apply(guided, {1, 1, 1, 1}, 0.5), std::vector<double>(4, 6.5));
  EXPECT_EQ(conditional_calls, 3);
  EXPECT_EQ(unconditional_calls, 3);
}

TEST(GuidanceTest, ScalesOneAndZeroCostOneEvaluation) {
  int conditional_calls = 0, unconditional_calls = 0;
  const Denoiser conditional = affine(3, &conditional_calls), unconditional = affine(1, &unconditional_calls);
  EXPECT_EQ(apply(classifier_free_guidance(conditional, unconditional, 1), {2}, 1), std::vector<double>{7});
  EXPECT_EQ(unconditional_calls, 0);
  EXPECT_EQ(apply(classifier_free_guidance(conditional, unconditional, 0), {2}, 1), std::vector<double>{3});
  EXPECT_EQ(conditional_calls, 1);
  for (const double scale : {std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_THROW(classifier_free_guidance(conditional, unconditional, scale), Error);
}

}  // namespace
}  // namespace diffusion
