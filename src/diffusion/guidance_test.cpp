#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <diffusion/error.h>

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
  const Denoiser guided = classifier_free_guidance(affine(3, &conditional_calls),
                                                   affine(1, &unconditional_calls), {.scale = 2.5});
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
  EXPECT_EQ(apply(classifier_free_guidance(conditional, unconditional, {.scale = 1}), {2}, 1),
            std::vector<double>{7});
  EXPECT_EQ(unconditional_calls, 0);
  EXPECT_EQ(apply(classifier_free_guidance(conditional, unconditional, {.scale = 0}), {2}, 1),
            std::vector<double>{3});
  EXPECT_EQ(conditional_calls, 1);
  for (const double scale : {std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_THROW(classifier_free_guidance(conditional, unconditional, {.scale = scale}), Error);
}

TEST(GuidanceTest, OnlyInTheInterval) {
  int strong_calls = 0, weak_calls = 0;
  const Denoiser guided = classifier_free_guidance(affine(3, &strong_calls), affine(1, &weak_calls),
                                                   {.scale = 2, .sigma_low = 0.5, .sigma_high = 2});
  const auto at = [&](double sigma) { return apply(guided, {10}, sigma)[0] - sigma; };
  EXPECT_EQ(at(0.5), 30);  // the lower end is outside, the upper inside
  EXPECT_EQ(at(2.5), 30);
  EXPECT_EQ(weak_calls, 0);
  EXPECT_EQ(at(0.75), 50);
  EXPECT_EQ(at(2), 50);
  EXPECT_EQ(weak_calls, 2);
  EXPECT_EQ(strong_calls, 4);
}

TEST(GuidanceTest, SaysWhichRowsItNeedsAndWhatTheyComeTo) {
  EXPECT_EQ(guidance_rows({}, 1), GuidanceRows::strong);
  EXPECT_EQ(guidance_rows({.scale = 0}, 1), GuidanceRows::weak);
  EXPECT_EQ(guidance_rows({.scale = 0, .rescale = 0.5}, 1), GuidanceRows::both);
  const Guidance guidance{.scale = 3, .sigma_low = 0.5, .sigma_high = 2, .rescale = 1};
  EXPECT_EQ(guidance_rows(guidance, 0.5), GuidanceRows::strong);
  EXPECT_EQ(guidance_rows(guidance, 2), GuidanceRows::both);
  EXPECT_EQ(guidance_rows(guidance, 2.1), GuidanceRows::strong);

  const std::vector<double> strong{1, 3, 4, 8};  // two images; guided they are 1 + 2 (-1), ...
  std::vector<double> weak{2, 2, 2, 3}, alone(weak.begin(), weak.begin() + 2),
      last(weak.begin() + 2, weak.end());
  guide_estimate(guidance, strong, weak, 2);
  guide_estimate(guidance, std::span(strong).first(2), alone, 2);
  guide_estimate(guidance, std::span(strong).last(2), last, 2);
  alone.insert(alone.end(), last.begin(), last.end());
  EXPECT_EQ(weak, alone);
  EXPECT_DOUBLE_EQ(weak[1] - weak[0], 2);  // the deviation of `strong`
  EXPECT_DOUBLE_EQ(weak[3] - weak[2], 4);
  std::vector<double> part(3);
  EXPECT_THROW(guide_estimate(guidance, part, part, 2), Error);
}

TEST(GuidanceTest, RescaleTakesTheContrastBack) {
  int calls = 0;
  const Denoiser strong = affine(3, &calls), weak = affine(1, &calls);
  const std::vector<double> x{-1, 1, 2, 4};  // two images, deviation 1 each
  const auto rescaled = [&](double phi) {
    return apply(classifier_free_guidance(strong, weak, {.scale = 2, .rescale = phi}, 2), x, 1);
  };
  // Guided is 5 x + 1: deviation 5 where D, 3 x + 1, has 3.
  EXPECT_EQ(rescaled(0), (std::vector<double>{-4, 6, 11, 21}));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(rescaled(1)[i], (5 * x[i] + 1) * 3 / 5, 1e-12);
    EXPECT_NEAR(rescaled(0.25)[i], (5 * x[i] + 1) * (0.25 * 0.6 + 0.75), 1e-12);
  }
  const Denoiser flat = classifier_free_guidance(strong, weak, {.scale = 2, .rescale = 1}, 2);
  EXPECT_EQ(apply(flat, {2, 2}, 1), (std::vector<double>{11, 11}));
  EXPECT_THROW(apply(flat, {1, 2, 3}, 1), Error);
}

TEST(GuidanceTest, AutoguidanceGoesAwayFromTheWeakerModel) {
  int calls = 0;
  const Denoiser guided = autoguidance(affine(3, &calls), affine(2, &calls), {.scale = 3});
  EXPECT_EQ(apply(guided, {2}, 1), std::vector<double>{11});  // 5 + 3 (7 - 5)
  EXPECT_EQ(calls, 2);
}

TEST(GuidanceTest, RefusesImpossibleSettings) {
  int calls = 0;
  const Denoiser d = affine(1, &calls);
  const double nan = std::nan("");
  for (const Guidance& bad : {Guidance{.sigma_low = -1}, Guidance{.sigma_low = 2, .sigma_high = 2},
                              Guidance{.sigma_low = nan}, Guidance{.sigma_high = nan},
                              Guidance{.rescale = -0.1}, Guidance{.rescale = 1.1}, Guidance{.rescale = nan}})
    EXPECT_THROW(autoguidance(d, d, bad, 1), Error);
  EXPECT_THROW(autoguidance(d, d, {.scale = 2, .rescale = 0.5}), Error);  // of what size?
}

// Computed with torch.quantile and clamp, as diffusers does it.
TEST(GuidanceTest, DynamicThreshold) {
  const std::vector<double> image{-4, 0.5, 2, 3, -1};
  const auto limited = [&](std::vector<double> values, double ratio, double max_value) {
    dynamic_threshold_limit(5, ratio, max_value)(values);
    return values;
  };
  // Magnitudes 0.5 1 2 3 4: the 0.6 quantile is 2.4.
  const std::vector<double> expected{-1, 0.5 / 2.4, 2 / 2.4, 1, -1 / 2.4};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(limited(image, 0.6, 100)[i], expected[i], 1e-12);
  EXPECT_EQ(limited(image, 1, 2), (std::vector<double>{-1, 0.25, 1, 1, -0.5}));  // at most 2
  EXPECT_EQ(limited(image, 0, 100), (std::vector<double>{-1, 0.5, 1, 1, -1}));   // at least 1
  EXPECT_EQ(limited({0, 0, 0, 0, 0}, 0.9, 100), (std::vector<double>(5, 0.0)));
  std::vector<double> two = image;
  for (const double value : image) two.push_back(value / 4);
  EXPECT_EQ(limited(two, 1, 100),
            (std::vector<double>{-1, 0.125, 0.5, 0.75, -0.25, -1, 0.125, 0.5, 0.75, -0.25}));
  for (const double bad : {-0.1, 1.1, std::nan("")}) EXPECT_THROW(dynamic_threshold_limit(5, bad), Error);
  EXPECT_THROW(dynamic_threshold_limit(5, 0.9, 0.5), Error);
  EXPECT_THROW(dynamic_threshold_limit(0), Error);
  std::vector<double> part(7);
  EXPECT_THROW(dynamic_threshold_limit(5)(part), Error);
}

}  // namespace
}  // namespace diffusion
