#include "diffusion/samplers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"

namespace diffusion {
namespace {

// Data that are exactly N(m, s^2): the best denoiser and the solution of the probability-flow ODE are known.
constexpr double kMean = 0.4, kStd = 0.5;

void gaussian_denoiser(std::span<const double> x, double sigma, std::span<double> denoised) {
  const double keep = kStd * kStd / (kStd * kStd + sigma * sigma);
  for (std::size_t i = 0; i < x.size(); ++i) denoised[i] = kMean + keep * (x[i] - kMean);
}

double exact_ode(double x, double sigma) {
  return kMean + (x - kMean) * kStd / std::hypot(kStd, sigma);
}

std::vector<double> started(const NoiseSource& noise, double std_at_start, std::size_t count) {
  std::vector<double> x(count);
  noise(0, x);
  for (double& value : x) value *= std_at_start;
  return x;
}

struct Moments {
  double mean = 0, variance = 0;
};

Moments moments(std::span<const double> x) {
  Moments m;
  for (const double value : x) m.mean += value / double(x.size());
  for (const double value : x) m.variance += (value - m.mean) * (value - m.mean) / double(x.size());
  return m;
}

TEST(SamplersTest, EverySamplerGivesTheMeanInOneStepFromPureNoise) {
  for (const SamplerEntry& sampler : samplers()) {
    std::vector<double> x{-1e9, 3e8, 0};
    run_sampler(sampler, gaussian_denoiser, std::vector{1e9, 0.0}, image_noise(1, 0, 3), {}, x);
    for (const double value : x) EXPECT_NEAR(value, kMean, 1e-8) << sampler.name;
  }
}

TEST(SamplersTest, EverySamplerReproducesGaussianData) {
  constexpr std::size_t kCount = 40000;
  for (const SamplerEntry& sampler : samplers()) {
    const NoiseSource noise = image_noise(17, 0, kCount);
    std::vector<double> x = started(noise, std::hypot(40, kStd), kCount);
    run_sampler(sampler, gaussian_denoiser, karras_sigmas(400, 0.002, 40), noise, {}, x);
    const auto [mean, variance] = moments(x);
    // The start leaves out the mean: an error of at most m s / 40. Variance: 4 standard errors and 1.5 % for
    // the steps.
    EXPECT_NEAR(mean, kMean, 4 * kStd / std::sqrt(kCount) + kMean * kStd / 40) << sampler.name;
    EXPECT_NEAR(variance / (kStd * kStd), 1, 4 * std::sqrt(2.0 / kCount) + 0.015) << sampler.name;
  }
}

TEST(SamplersTest, EverySamplerIsDeterministicAndIndependentOfTheBatch) {
  constexpr std::size_t kImage = 7;
  const std::vector<double> sigmas = karras_sigmas(6, 0.01, 10);
  for (const SamplerEntry& sampler : samplers()) {
    const auto sample = [&](std::uint64_t seed, std::uint32_t first, std::size_t images) {
      const NoiseSource noise = image_noise(seed, first, kImage);
      std::vector<double> x = started(noise, 10, images * kImage);
      run_sampler(sampler, gaussian_denoiser, sigmas, noise, {}, x);
      return x;
    };
    const std::vector<double> batch = sample(3, 0, 4), alone = sample(3, 2, 1);
    EXPECT_EQ(batch, sample(3, 0, 4)) << sampler.name;
    EXPECT_EQ(std::vector(batch.begin() + 2 * kImage, batch.begin() + 3 * kImage), alone) << sampler.name;
    EXPECT_NE(batch, sample(4, 0, 4)) << sampler.name;
  }
}

TEST(SamplersTest, EverySamplerReportsItsSteps) {
  const std::vector<double> sigmas{5, 2, 1, 0};
  for (const SamplerEntry& sampler : samplers()) {
    std::vector<double> x{1, -2}, last;
    int calls = 0;
    run_sampler(sampler, gaussian_denoiser, sigmas, image_noise(1, 0, 2), {}, x,
                [&](const SamplerStep& step) {
                  EXPECT_EQ(step.index, calls);
                  EXPECT_EQ(step.count, 3);
                  EXPECT_EQ(step.sigma, sigmas[std::size_t(calls)]);
                  EXPECT_EQ(step.sigma_next, sigmas[std::size_t(calls) + 1]);
                  EXPECT_EQ(step.denoised.size(), 2u);
                  last.assign(step.x.begin(), step.x.end());
                  ++calls;
                });
    EXPECT_EQ(calls, 3) << sampler.name;
    EXPECT_EQ(last, x) << sampler.name;
  }
}

TEST(SamplersTest, StochasticFlagTellsTheTruth) {
  for (const SamplerEntry& sampler : samplers()) {
    bool drew = false;
    std::vector<double> x{1};
    const NoiseSource spy = [&](int draw, std::span<double> out) {
      drew = true;
      EXPECT_EQ(draw, 1) << "step 0 owns draw 1";
      for (double& value : out) value = 0;
    };
    run_sampler(sampler, gaussian_denoiser, std::vector<double>{3, 1, 0}, spy, {},
                x);  // no noise on the step to 0
    EXPECT_EQ(drew, sampler.stochastic) << sampler.name;
  }
}

TEST(SamplersTest, DdimConvergesToTheOdeAtFirstOrder) {
  const double start = 9;
  double previous = 0;
  for (const int steps : {40, 80, 160, 320, 640}) {
    std::vector<double> x{start};
    run_sampler(find_sampler("ddim"), gaussian_denoiser, karras_sigmas(steps, 0.002, 20), {}, {}, x);
    const double error = std::abs(x[0] - exact_ode(start, 20));
    if (previous > 0) {
      EXPECT_GT(previous / error, 1.85) << steps << " steps";
      EXPECT_LT(previous / error, 2.15) << steps << " steps";
    }
    previous = error;
  }
  EXPECT_LT(previous, 2e-3);
  EXPECT_GT(previous, 0);
}

// A textbook loop in VP form: Ho et al. 2020, eq. 6, 7 and Algorithm 2, with x_0 from the denoiser.
std::vector<double> textbook_ddpm(const NoiseSchedule& schedule, const NoiseSource& noise,
                                  std::vector<double> x) {
  const int T = schedule.num_train_timesteps;
  std::vector<double> x0(x.size()), z(x.size()), ve(x.size());
  for (int t = T - 1; t >= 0; --t) {
    const double beta = schedule.betas[std::size_t(t)], a = schedule.alphas_cumprod[std::size_t(t)];
    const double a_prev = t > 0 ? schedule.alphas_cumprod[std::size_t(t - 1)] : 1;
    for (std::size_t k = 0; k < x.size(); ++k) ve[k] = x[k] / std::sqrt(a);
    gaussian_denoiser(ve, std::sqrt((1 - a) / a), x0);
    noise(T - t, z);
    for (std::size_t k = 0; k < x.size(); ++k)
      x[k] = std::sqrt(a_prev) * beta / (1 - a) * x0[k] +
             std::sqrt(1 - beta) * (1 - a_prev) / (1 - a) * x[k] +
             std::sqrt((1 - a_prev) / (1 - a) * beta) * z[k];
  }
  return x;
}

TEST(SamplersTest, DdpmIsTheTextbookPosteriorWithTheSameNoise) {
  for (const ScheduleKind kind : {ScheduleKind::linear, ScheduleKind::cosine}) {
    const NoiseSchedule schedule = make_schedule(kind, 60, 1e-3, 0.2);
    const NoiseSource noise = image_noise(2, 0, 16);
    const std::vector<double> expected = textbook_ddpm(schedule, noise, started(noise, 1, 16));
    const std::vector<double> sigmas =
        sampling_sigmas(schedule, sampling_timesteps(60, 60, TimestepSpacing::leading));
    const std::vector<double> start = started(noise, std::hypot(1, sigmas.front()), 16);
    std::vector<double> ddpm = start, ddim = start;
    run_sampler(find_sampler("ddpm"), gaussian_denoiser, sigmas, noise, {}, ddpm);
    run_sampler(find_sampler("ddim"), gaussian_denoiser, sigmas, noise, {.eta = 1}, ddim);
    EXPECT_EQ(ddpm, ddim);
    for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(ddpm[i], expected[i], 1e-10) << to_string(kind);
  }
}

// Song et al. 2020, eq. 12 and 16, in VP form over skipped timesteps.
TEST(SamplersTest, DdimIsThePapersStepForEveryEta) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 200);
  const std::vector<int> timesteps = sampling_timesteps(200, 7, TimestepSpacing::trailing);
  const std::vector<double> sigmas = sampling_sigmas(schedule, timesteps);
  const NoiseSource noise = image_noise(8, 0, 5);
  for (const double eta : {0.0, 0.3, 1.0}) {
    std::vector<double> expected = started(noise, 1, 5), x0(5), ve(5), z(5);
    for (std::size_t i = 0; i < timesteps.size(); ++i) {
      const double a = schedule.alpha_cumprod(timesteps[i]);
      const double a_prev = i + 1 < timesteps.size() ? schedule.alpha_cumprod(timesteps[i + 1]) : 1;
      const double std_dev = eta * std::sqrt((1 - a_prev) / (1 - a) * (1 - a / a_prev));
      for (std::size_t k = 0; k < 5; ++k) ve[k] = expected[k] / std::sqrt(a);
      gaussian_denoiser(ve, std::sqrt((1 - a) / a), x0);
      noise(int(i) + 1, z);
      for (std::size_t k = 0; k < 5; ++k) {
        const double epsilon = (expected[k] - std::sqrt(a) * x0[k]) / std::sqrt(1 - a);
        expected[k] =
            std::sqrt(a_prev) * x0[k] + std::sqrt(1 - a_prev - std_dev * std_dev) * epsilon + std_dev * z[k];
      }
    }
    std::vector<double> x = started(noise, std::hypot(1, sigmas.front()), 5);
    run_sampler(find_sampler("ddim"), gaussian_denoiser, sigmas, noise, {.eta = eta}, x);
    for (std::size_t k = 0; k < 5; ++k) EXPECT_NEAR(x[k], expected[k], 1e-12) << "eta " << eta;
  }
}

TEST(SamplersTest, StopsAtTheLastLevelGiven) {
  std::vector<double> x{4}, denoised(1);
  gaussian_denoiser(x, 5, denoised);
  const double expected = denoised[0] + 2.0 / 5 * (4 - denoised[0]);
  run_sampler(find_sampler("ddim"), gaussian_denoiser, std::vector<double>{5, 2}, {}, {}, x);
  EXPECT_DOUBLE_EQ(x[0], expected);
}

TEST(SamplersTest, RefusesBadArguments) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const NoiseSource noise = image_noise(1, 0, 1);
  std::vector<double> x{1};
  const auto refuses = [&](const char* name, const std::vector<double>& sigmas, const NoiseSource& source,
                           const SamplerOptions& options, std::span<double> state) {
    try {
      run_sampler(find_sampler(name), gaussian_denoiser, sigmas, source, options, state);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
    return false;
  };
  for (const std::vector<double>& sigmas : std::vector<std::vector<double>>{
           {}, {1}, {1, 1}, {1, 2}, {1, 0, 0}, {0, -1}, {1, -1}, {nan, 0}, {1, nan}, {infinity, 0}})
    EXPECT_TRUE(refuses("ddim", sigmas, noise, {}, x)) << sigmas.size();
  for (const double eta : {-0.1, 1.1, nan})
    EXPECT_TRUE(refuses("ddim", {1, 0}, noise, {.eta = eta}, x)) << eta;
  EXPECT_TRUE(refuses("ddpm", {1, 0}, noise, {.eta = 1}, x));
  EXPECT_TRUE(refuses("ddpm", {2, 1}, {}, {}, x));
  EXPECT_TRUE(refuses("ddim", {2, 1}, {}, {.eta = 0.5}, x));
  EXPECT_TRUE(refuses("ddim", {2, 1}, noise, {}, {}));
  EXPECT_EQ(x[0], 1);  // nothing ran

  std::vector<double> part(3);
  EXPECT_THROW(image_noise(1, 0, 2)(0, part), Error);
  EXPECT_THROW(image_noise(1, 0, 0)(0, part), Error);
  try {
    find_sampler("euler");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ddpm, ddim"), std::string::npos) << error.what();
  }
}

TEST(SamplersTest, ReportsNonFiniteResults) {
  const Denoiser broken = [](std::span<const double>, double, std::span<double> denoised) {
    for (double& value : denoised) value = std::nan("");
  };
  for (const SamplerEntry& sampler : samplers()) {
    std::vector<double> x{1};
    try {
      run_sampler(sampler, broken, std::vector<double>{2, 0}, image_noise(1, 0, 1), {}, x);
      ADD_FAILURE() << sampler.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::non_finite);
    }
  }
}

TEST(SamplingTimestepsTest, AreThoseOfDiffusers) {
  using enum TimestepSpacing;
  EXPECT_EQ(sampling_timesteps(1000, 4, leading), (std::vector{750, 500, 250, 0}));
  EXPECT_EQ(sampling_timesteps(1000, 4, trailing), (std::vector{999, 749, 499, 249}));
  EXPECT_EQ(sampling_timesteps(1000, 4, linspace), (std::vector{999, 666, 333, 0}));
  EXPECT_EQ(sampling_timesteps(1000, 3, leading), (std::vector{666, 333, 0}));
  EXPECT_EQ(sampling_timesteps(1000, 3, trailing), (std::vector{999, 666, 332}));
  EXPECT_EQ(sampling_timesteps(1000, 3, linspace), (std::vector{999, 500, 0}));  // 499.5 to even
  EXPECT_EQ(sampling_timesteps(1000, 1, leading), (std::vector{0}));
  EXPECT_EQ(sampling_timesteps(1000, 1, trailing), (std::vector{999}));
  EXPECT_EQ(sampling_timesteps(1000, 1, linspace), (std::vector{0}));
  // Computed with numpy: 48 steps have ties that fall by the rounding of arange's increment.
  const std::vector<int> ties = sampling_timesteps(1000, 48, trailing);
  EXPECT_EQ(std::vector(ties.begin(), ties.begin() + 10),
            (std::vector{999, 978, 957, 936, 916, 895, 874, 853, 832, 811}));
}

TEST(SamplingTimestepsTest, AreDistinctDescendingAndInRange) {
  for (const int T : {1, 2, 7, 200, 1000})
    for (const TimestepSpacing spacing :
         {TimestepSpacing::leading, TimestepSpacing::trailing, TimestepSpacing::linspace})
      for (int steps = 1; steps <= T; ++steps) {
        const std::vector<int> timesteps = sampling_timesteps(T, steps, spacing);
        ASSERT_EQ(timesteps.size(), std::size_t(steps));
        ASSERT_LE(timesteps.front(), T - 1);
        ASSERT_TRUE(spacing != TimestepSpacing::trailing || timesteps.front() == T - 1);
        ASSERT_GE(timesteps.back(), 0);
        for (std::size_t i = 1; i < timesteps.size(); ++i) ASSERT_LT(timesteps[i], timesteps[i - 1]);
      }
}

TEST(SamplingTimestepsTest, RefusesImpossibleStepCounts) {
  for (const int steps : {0, -5, 201, std::numeric_limits<int>::max()})
    EXPECT_THROW(sampling_timesteps(200, steps, TimestepSpacing::leading), Error) << steps;
  EXPECT_THROW(sampling_timesteps(0, 1, TimestepSpacing::leading), Error);
  EXPECT_EQ(parse_timestep_spacing(to_string(TimestepSpacing::trailing)), TimestepSpacing::trailing);
  EXPECT_THROW(parse_timestep_spacing("karras"), Error);
}

TEST(SamplingSigmasTest, FollowTheScheduleAndEndAtZero) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 200);
  EXPECT_EQ(sampling_sigmas(schedule, std::vector{199, 50, 0}),
            (std::vector<double>{schedule.sigma(199), schedule.sigma(50), schedule.sigma(0), 0}));
  EXPECT_THROW(sampling_sigmas(schedule, std::vector{200}), Error);
}

TEST(SamplingSigmasTest, KarrasLevels) {
  const std::vector<double> sigmas = karras_sigmas(18, 0.002, 80);
  ASSERT_EQ(sigmas.size(), 19u);
  EXPECT_EQ(sigmas.front(), 80);
  EXPECT_NEAR(sigmas[17], 0.002, 1e-12);
  EXPECT_EQ(sigmas[18], 0);
  for (std::size_t i = 1; i < sigmas.size(); ++i) EXPECT_LT(sigmas[i], sigmas[i - 1]);
  // rho-th roots are equally spaced.
  for (std::size_t i = 1; i < 17; ++i)
    EXPECT_NEAR(2 * std::pow(sigmas[i], 1 / 7.0),
                std::pow(sigmas[i - 1], 1 / 7.0) + std::pow(sigmas[i + 1], 1 / 7.0), 1e-12);
  EXPECT_EQ(karras_sigmas(1, 0.002, 80), (std::vector<double>{80, 0}));
  for (const double bad : {0.0, -1.0, 80.0, std::nan("")})
    EXPECT_THROW(karras_sigmas(5, bad, 80), Error) << bad;
  EXPECT_THROW(karras_sigmas(5, 1, std::numeric_limits<double>::infinity()), Error);
  EXPECT_THROW(karras_sigmas(0, 0.002, 80), Error);
  EXPECT_THROW(karras_sigmas(5, 0.002, 80, 0), Error);
}

}  // namespace
}  // namespace diffusion
