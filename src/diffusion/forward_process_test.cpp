#include "diffusion/forward_process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {
namespace {

constexpr int kSamples = 20000;
const NoiseSchedule kShortSchedule = make_schedule(ScheduleKind::linear, 12, 0.01, 0.4);

std::vector<double> normals(Stream stream, std::uint32_t step, int count = kSamples) {
  std::vector<double> noise(std::size_t(count), 0.0);
  fill_normal({.seed = 11, .stream = stream, .sample = 0, .step = step}, noise);
  return noise;
}

// x_0 = 0.7 in every sample, walked through the Markov chain to timestep t. `shift` misplaces the betas.
std::vector<double> walk(int t, int shift = 0) {
  std::vector<double> x(kSamples, 0.7);
  for (int s = 0; s <= t; ++s)
    markov_step(kShortSchedule, s + shift, normals(Stream::markov_noise, std::uint32_t(s)), x);
  return x;
}

std::vector<double> jump(int t) {
  const std::vector<double> x0(kSamples, 0.7);
  const std::vector<int> timesteps(kSamples, t);
  std::vector<double> x(kSamples);
  q_sample(kShortSchedule, x0, timesteps, normals(Stream::train_noise, std::uint32_t(t)), x);
  return x;
}

// The largest distance between two empirical distribution functions.
double kolmogorov_smirnov(std::vector<double> a, std::vector<double> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double distance = 0;
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    a[i] <= b[j] ? ++i : ++j;
    distance = std::max(distance, std::abs(double(i) / double(a.size()) - double(j) / double(b.size())));
  }
  return distance;
}

const double kKsLimit = 1.95 * std::sqrt(2.0 / kSamples);  // two samples of equal size, p = 0.001

TEST(ForwardProcessTest, MarkovChainAgreesWithTheJumpInDistribution) {
  for (const int t : {0, 1, 5, 11}) {
    const std::vector<double> x = walk(t);
    EXPECT_LT(kolmogorov_smirnov(x, jump(t)), kKsLimit) << "t = " << t;

    double mean = 0, variance = 0;
    for (const double value : x) mean += value / kSamples;
    for (const double value : x) variance += (value - mean) * (value - mean) / kSamples;
    const double a = kShortSchedule.alpha_cumprod(t);
    EXPECT_NEAR(mean, std::sqrt(a) * 0.7, 4 * std::sqrt((1 - a) / kSamples)) << "t = " << t;
    EXPECT_NEAR(variance, 1 - a, 4 * (1 - a) * std::sqrt(2.0 / kSamples)) << "t = " << t;
  }
}

TEST(ForwardProcessTest, TheComparisonSeesABetaThatIsOffByOne) {
  for (const int t : {0, 1, 5})
    EXPECT_GT(kolmogorov_smirnov(walk(t, 1), jump(t)), 2 * kKsLimit) << "t = " << t;
  for (const int t : {1, 5}) EXPECT_GT(kolmogorov_smirnov(walk(t - 1), jump(t)), 2 * kKsLimit) << "t = " << t;
}

// The chain is linear: its response to x_0 alone and to the noise of each step alone gives mean and variance
// exactly.
TEST(ForwardProcessTest, MarkovChainHasExactlyTheMomentsOfTheJump) {
  for (int t = 0; t < kShortSchedule.num_train_timesteps; ++t) {
    double variance = 0;
    for (int impulse = -1; impulse <= t; ++impulse) {
      std::vector<double> x{impulse == -1 ? 1.0 : 0.0};
      for (int s = 0; s <= t; ++s) markov_step(kShortSchedule, s, std::vector{s == impulse ? 1.0 : 0.0}, x);
      if (impulse == -1)
        EXPECT_NEAR(x[0], std::sqrt(kShortSchedule.alpha_cumprod(t)), 1e-14);
      else
        variance += x[0] * x[0];
    }
    EXPECT_NEAR(variance, 1 - kShortSchedule.alpha_cumprod(t), 1e-14);
  }
}

TEST(ForwardProcessTest, QSampleTakesATimestepPerSampleAndWorksInPlace) {
  const std::vector<double> noise{0.5, -1, 2, 0.25};
  std::vector<double> x{1, -0.5, 0.25, -1};
  const std::vector<double> x0 = x;
  const std::vector<int> timesteps{0, 11};
  q_sample(kShortSchedule, x, timesteps, noise, x);
  for (std::size_t i = 0; i < 4; ++i) {
    const double a = kShortSchedule.alphas_cumprod[i < 2 ? 0 : 11];
    EXPECT_DOUBLE_EQ(x[i], std::sqrt(a) * x0[i] + std::sqrt(1 - a) * noise[i]);
  }
}

TEST(ForwardProcessTest, TrainingInputIsQSampleAndTargetIsWhatTheNetworkPredicts) {
  const std::vector<float> y{-1, 0.25f, 1}, noise{0.5f, -2, 1.25f};
  for (const Objective objective : {Objective::epsilon, Objective::v, Objective::x0}) {
    const Preconditioner preconditioner(objective, kShortSchedule);
    for (const int t : {0, 6, 11}) {
      std::vector<float> input(3), target(3);
      network_input_and_target(preconditioner, kShortSchedule.sigma(t), y, noise, input, target);
      const double a = kShortSchedule.alpha_cumprod(t), signal = std::sqrt(a), sigma_vp = std::sqrt(1 - a);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(input[i], signal * y[i] + sigma_vp * noise[i], 3e-7);
        const double expected = objective == Objective::epsilon ? noise[i]
                                : objective == Objective::v     ? signal * noise[i] - sigma_vp * y[i]
                                                                : y[i];
        EXPECT_NEAR(target[i], expected, 3e-7) << to_string(objective) << " t = " << t;
      }
    }
  }
}

TEST(ForwardProcessTest, EdmTargetMakesTheDenoiserExact) {
  const Preconditioner preconditioner(EdmProcess{.sigma_data = 0.6});
  const std::vector<float> y{-1, 0.25f, 1}, noise{0.5f, -2, 1.25f};
  for (const double sigma : {0.002, 0.6, 80.0}) {
    std::vector<float> input(3), target(3);
    network_input_and_target(preconditioner, sigma, y, noise, input, target);
    const double norm = std::sqrt(sigma * sigma + 0.36);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(input[i], (y[i] + sigma * noise[i]) / norm, 3e-7);
      EXPECT_NEAR(target[i], (sigma * y[i] - 0.36 * noise[i]) / (0.6 * norm), 5e-7);
    }
  }
}

TEST(ForwardProcessTest, RefusesSizesAndTimestepsThatDoNotFit) {
  const std::vector<double> four(4), three(3);
  std::vector<double> out(4);
  const std::vector<int> two_timesteps{0, 1}, three_timesteps{0, 1, 2}, outside{0, 12}, negative{-1};
  EXPECT_THROW(q_sample(kShortSchedule, four, three_timesteps, four, out), Error);
  EXPECT_THROW(q_sample(kShortSchedule, four, {}, four, out), Error);
  EXPECT_THROW(q_sample(kShortSchedule, four, two_timesteps, three, out), Error);
  EXPECT_THROW(q_sample(kShortSchedule, four, two_timesteps, four, std::span(out).first(3)), Error);
  EXPECT_THROW(q_sample(kShortSchedule, four, outside, four, out), Error);
  EXPECT_THROW(q_sample(kShortSchedule, four, negative, four, out), Error);
  EXPECT_THROW(markov_step(kShortSchedule, 12, four, out), Error);
  EXPECT_THROW(markov_step(kShortSchedule, -1, four, out), Error);
  EXPECT_THROW(markov_step(kShortSchedule, 0, three, out), Error);

  const Preconditioner preconditioner(Objective::v, kShortSchedule);
  const std::vector<float> y(4), short_noise(3);
  std::vector<float> input(4), target(4);
  EXPECT_THROW(network_input_and_target(preconditioner, 1, y, short_noise, input, target), Error);
  EXPECT_THROW(network_input_and_target(preconditioner, 1, y, y, std::span(input).first(3), target), Error);
  EXPECT_THROW(network_input_and_target(preconditioner, 1, y, y, input, std::span(target).first(3)), Error);
  EXPECT_THROW(network_input_and_target(preconditioner, 0, y, y, input, target), Error);
}

}  // namespace
}  // namespace diffusion
