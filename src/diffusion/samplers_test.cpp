#include "diffusion/samplers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
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

std::vector<double> started(const NoiseSource& noise, double std_at_start, std::size_t count) {
  std::vector<double> x(count);
  noise(0, x);
  for (double& value : x) value *= std_at_start;
  return x;
}

TEST(SamplersTest, EverySamplerGivesTheMeanInOneStepFromPureNoise) {
  for (const SamplerEntry& sampler : samplers()) {
    std::vector<double> x{-1e9, 3e8, 0};
    run_sampler(sampler, gaussian_denoiser, std::vector{1e9, 0.0}, image_noise(1, 0, 3), {}, x);
    for (const double value : x) EXPECT_NEAR(value, kMean, 1e-6) << sampler.name;  // 1e9 - 1e9
  }
}

// Every sampler is affine in the numbers that it draws, so its mean and variance follow from its answer to each of them
// alone: element 0 draws only zeros, and element j + 1 a one in draw j.
TEST(SamplersTest, EverySamplerReproducesGaussianData) {
  constexpr int kSteps = 1000;
  const NoiseSource impulses = [](int draw, std::span<double> out) {
    std::ranges::fill(out, 0);
    out[std::size_t(draw) + 1] = 1;
  };
  for (const SamplerEntry& sampler : samplers()) {
    std::vector<double> x = started(impulses, std::hypot(80, kStd), kSteps + 2);
    run_sampler(sampler, gaussian_denoiser, karras_sigmas(kSteps, 0.002, 80), impulses, {}, x);
    double variance = 0;
    for (const double value : x) variance += (value - x[0]) * (value - x[0]);
    EXPECT_NEAR(x[0], kMean, 0.005) << sampler.name;  // the start leaves out the mean: an error of m s / 80
    EXPECT_NEAR(variance / (kStd * kStd), 1, 0.015) << sampler.name;
    if (sampler.order > 1) {
      EXPECT_NEAR(variance / (kStd * kStd), 1, 0.001) << sampler.name;
    }
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
    std::vector<int> draws;
    std::vector<double> x{1};
    const NoiseSource spy = [&](int draw, std::span<double> out) {
      draws.push_back(draw);
      for (double& value : out) value = 0;
    };
    run_sampler(sampler, gaussian_denoiser, std::vector<double>{3, 1, 0}, spy, {}, x);
    // Step 0 owns draw 1. Those that add noise after a step add none at 0; edm adds it before.
    const std::vector<int> expected = sampler.name == "edm" ? std::vector{1, 2} : std::vector{1};
    EXPECT_EQ(draws, sampler.stochastic ? expected : std::vector<int>{}) << sampler.name;
  }
}

// Karras' levels without the step to 0, which has orders of its own.
std::vector<double> smooth_levels(int steps) {
  std::vector<double> sigmas = karras_sigmas(steps + 1, 0.002, 80);
  sigmas.pop_back();
  return sigmas;
}

double ode_error(const SamplerEntry& sampler, const std::vector<double>& sigmas,
                 const SamplerOptions& options = {}) {
  const double y = 0.9, per_std = (y - kMean) / kStd;
  std::vector<double> x{kMean + per_std * std::hypot(kStd, sigmas.front())};
  run_sampler(sampler, gaussian_denoiser, sigmas, {}, options, x);
  return std::abs(x[0] - (kMean + per_std * std::hypot(kStd, sigmas.back())));
}

TEST(SamplersTest, ErrorOfTheOdeFallsWithTheDeclaredOrder) {
  int measured = 0;
  for (const SamplerEntry& sampler : samplers()) {
    if (sampler.order == 0) continue;
    const double coarse = ode_error(sampler, smooth_levels(128)),
                 fine = ode_error(sampler, smooth_levels(256));
    EXPECT_NEAR(std::log2(coarse / fine), sampler.order, 0.2) << sampler.name;
    EXPECT_GT(fine, 0) << sampler.name;
    EXPECT_LT(fine, 0.01) << sampler.name;
    ++measured;
  }
  EXPECT_EQ(measured, 15);
}

TEST(SamplersTest, StochasticSamplersWithoutNoiseSolveTheOdeToo) {
  const std::vector<double> coarse = smooth_levels(128), fine = smooth_levels(256);
  for (const auto& [name, options, order] :
       std::vector<std::tuple<const char*, SamplerOptions, double>>{{"euler_ancestral", {.eta = 0}, 1},
                                                                    {"dpmpp_2m_sde", {.eta = 0}, 2},
                                                                    {"dpmpp_3m_sde", {.eta = 0}, 2},
                                                                    {"edm", {.s_churn = 0}, 2}})
    EXPECT_NEAR(std::log2(ode_error(find_sampler(name), coarse, options) /
                          ode_error(find_sampler(name), fine, options)),
                order, 0.2)
        << name;
}

TEST(SamplersTest, FourValuesAreOfFourthOrderOverEqualSteps) {
  const auto equal_levels = [](int steps) {
    std::vector<double> sigmas;
    for (int i = 0; i <= steps; ++i) sigmas.push_back(2 - 1.8 * i / steps);
    return sigmas;
  };
  const SamplerEntry& pndm =
      find_sampler("pndm");  // ipndm starts with Euler, which shows from this low level
  EXPECT_GT(std::log2(ode_error(pndm, equal_levels(128)) / ode_error(pndm, equal_levels(256))), 3.7);
}

TEST(SamplersTest, CallTheDenoiserAsOftenAsDeclared) {
  for (const SamplerEntry& sampler : samplers())
    for (const std::vector<double>& sigmas :
         std::vector<std::vector<double>>{{3, 0}, {3, 1}, {3, 1, 0}, {9, 5, 3, 2, 1}, {9, 5, 3, 2, 0}}) {
      int calls = 0;
      const Denoiser counting = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
        ++calls;
        gaussian_denoiser(x, sigma, denoised);
      };
      std::vector<double> x{1};
      run_sampler(sampler, counting, sigmas, image_noise(1, 0, 1), {}, x);
      EXPECT_EQ(calls, evaluations_of(sampler, sigmas)) << sampler.name << ", " << sigmas.size() << " levels";
    }
  EXPECT_EQ(evaluations_of(find_sampler("heun"), std::vector<double>{3, 2, 1, 0}), 5);
  EXPECT_EQ(evaluations_of(find_sampler("dpm2"), std::vector<double>{3, 2, 1}), 4);
  EXPECT_EQ(evaluations_of(find_sampler("pndm"), std::vector<double>{3, 2, 1, 0}), 4);
}

TEST(SamplersTest, ARepeatedLastLevelChangesNothing) {
  for (const SamplerEntry& sampler : samplers()) {
    if (sampler.name == "edm") continue;  // raises sigma first
    for (const int steps : {2, 20}) {     // careful at the end, and not
      std::vector<double> sigmas = smooth_levels(steps), states, x{3, -8};
      sigmas.push_back(sigmas.back());
      const SamplerOptions options;
      run_sampler(sampler, gaussian_denoiser, sigmas, image_noise(1, 0, 2), options, x,
                  [&](const SamplerStep& step) {
                    if (step.index + 2 == step.count) states.assign(step.x.begin(), step.x.end());
                  });
      ASSERT_EQ(states.size(), 2u) << sampler.name;
      // unipc uses the repetition to correct the step before it.
      const double tolerance = sampler.name.starts_with("unipc") ? 1e-3 : 1e-12;
      for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(x[k], states[k], tolerance) << sampler.name;
    }
  }
}

TEST(SamplersTest, LmsIntegratesCubicNoiseExactly) {
  const Denoiser cubic = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    for (std::size_t k = 0; k < x.size(); ++k)
      denoised[k] =
          x[k] - sigma * (1 + sigma * (2 - sigma * (3 - 4 * sigma)));  // epsilon = 1 + 2 s - 3 s^2 + 4 s^3
  };
  const auto integral = [](double s) { return s * (1 + s * (1 - s * (1 - s))); };
  std::vector<double> x{5}, after_three;
  const std::vector<double> sigmas{3, 2.4, 2.1, 1.2, 1.1, 0.4, 0};
  run_sampler(find_sampler("lms"), cubic, sigmas, {}, {}, x, [&](const SamplerStep& step) {
    if (step.index == 2) after_three.assign(step.x.begin(), step.x.end());
  });
  EXPECT_NEAR(x[0] - after_three.at(0), integral(0) - integral(1.2), 1e-12);
}

TEST(SamplersTest, DeisIntegratesQuadraticNoiseInLogSigmaExactly) {
  const Denoiser quadratic = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    const double u = std::log(sigma);
    for (std::size_t k = 0; k < x.size(); ++k) denoised[k] = x[k] - sigma * (1 - u + u * u);
  };
  const auto integral = [](double s) {  // of (1 - u + u^2) ds, u = log s
    const double u = std::log(s);
    return s * (1 - (u - 1) + (u * u - 2 * u + 2));
  };
  std::vector<double> sigmas = smooth_levels(16), x{5}, after_two;
  run_sampler(find_sampler("deis"), quadratic, sigmas, {}, {}, x, [&](const SamplerStep& step) {
    if (step.index == 1) after_two.assign(step.x.begin(), step.x.end());
  });
  EXPECT_NEAR(x[0] - after_two.at(0), integral(sigmas.back()) - integral(sigmas[2]), 1e-9);
}

// A rectified flow in its own variables: x_t = (1 - t) y + t n, velocity n - y = (x_t - D) / t.
TEST(SamplersTest, FlowSamplersAreThoseOfTheFlow) {
  const std::vector<double> sigmas = flow_sigmas(1000, 7, 2.5);
  const double start = -0.7;
  double euler_t = start, heun_t = start;
  const auto velocity = [](double x_t, double sigma) {
    const double t = sigma / (1 + sigma), x = x_t * (1 + sigma);
    double denoised = 0;
    gaussian_denoiser({&x, 1}, sigma, {&denoised, 1});
    return (x_t - denoised) / t;
  };
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double step = sigmas[i + 1] / (1 + sigmas[i + 1]) - sigmas[i] / (1 + sigmas[i]);
    euler_t += step * velocity(euler_t, sigmas[i]);
    const double v = velocity(heun_t, sigmas[i]);
    heun_t += sigmas[i + 1] == 0 ? step * v : step / 2 * (v + velocity(heun_t + step * v, sigmas[i + 1]));
  }
  for (const auto& [name, expected] : {std::pair{"flow_euler", euler_t}, {"flow_heun", heun_t}}) {
    std::vector<double> x{start * (1 + sigmas.front())};
    run_sampler(find_sampler(name), gaussian_denoiser, sigmas, {}, {}, x);
    EXPECT_NEAR(x[0], expected, 1e-9) << name;
  }
}

// Karras et al. 2022, algorithm 2, line by line.
TEST(SamplersTest, EdmIsTheirAlgorithm) {
  const std::vector<double> t = karras_sigmas(9, 0.01, 20);
  const NoiseSource noise = image_noise(5, 0, 1);
  for (const double s_churn : {1.0, 30.0}) {
    const SamplerOptions options{.s_churn = s_churn, .s_tmin = 0.05, .s_tmax = 10, .s_noise = 1.003};
    std::vector<double> x{14}, z(1), d1(1), d2(1);
    double y = x[0];
    run_sampler(find_sampler("edm"), gaussian_denoiser, t, noise, options, x);
    for (int i = 0; i < 9; ++i) {
      const double t_i = t[std::size_t(i)], t_next = t[std::size_t(i) + 1];
      const double gamma = t_i >= 0.05 && t_i <= 10 ? std::min(s_churn / 9, std::sqrt(2.0) - 1) : 0;
      const double t_hat = t_i + gamma * t_i;
      noise(i + 1, z);
      const double y_hat = y + std::sqrt(t_hat * t_hat - t_i * t_i) * 1.003 * z[0];
      gaussian_denoiser({&y_hat, 1}, t_hat, d1);
      const double slope = (y_hat - d1[0]) / t_hat;
      y = y_hat + (t_next - t_hat) * slope;
      if (t_next == 0) break;
      gaussian_denoiser({&y, 1}, t_next, d2);
      y = y_hat + (t_next - t_hat) * (slope + (y - d2[0]) / t_next) / 2;
    }
    EXPECT_NEAR(x[0], y, 1e-11);
  }
}

TEST(SamplersTest, DdpmWithVarianceBetaIsThePapersOtherChoice) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 40, 1e-3, 0.2);
  const NoiseSource noise = image_noise(2, 0, 1);
  std::vector<double> sigmas(schedule.sigmas.rbegin(), schedule.sigmas.rend());
  sigmas.push_back(0);
  std::vector<double> start = started(noise, 1, 1), x{start[0] * std::hypot(1, sigmas.front())}, x0(1), z(1);
  double expected = start[0];
  run_sampler(find_sampler("ddpm"), gaussian_denoiser, sigmas, noise, {.variance = DdpmVariance::beta}, x);
  for (int t = 39; t >= 0; --t) {
    const double beta = schedule.beta(t), a = schedule.alpha_cumprod(t),
                 a_prev = t > 0 ? schedule.alpha_cumprod(t - 1) : 1;
    const double ve = expected / std::sqrt(a);
    gaussian_denoiser({&ve, 1}, schedule.sigma(t), x0);
    noise(40 - t, z);
    expected = std::sqrt(a_prev) * beta / (1 - a) * x0[0] +
               std::sqrt(1 - beta) * (1 - a_prev) / (1 - a) * expected + (t > 0 ? std::sqrt(beta) * z[0] : 0);
  }
  EXPECT_NEAR(x[0], expected, 1e-10);
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
    std::vector<double> sigmas(schedule.sigmas.rbegin(), schedule.sigmas.rend());
    sigmas.push_back(0);
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
  const std::vector<int> timesteps{199, 170, 142, 113, 85, 56, 28};
  std::vector<double> sigmas;
  for (const int t : timesteps) sigmas.push_back(schedule.sigma(t));
  sigmas.push_back(0);
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
           {}, {1}, {2, 1, 1, 0}, {1, 2}, {1, 0, 0}, {0, -1}, {1, -1}, {nan, 0}, {1, nan}, {infinity, 0}})
    EXPECT_TRUE(refuses("ddim", sigmas, noise, {}, x)) << sigmas.size();
  for (const double eta : {-0.1, 1.1, nan})
    EXPECT_TRUE(refuses("ddim", {1, 0}, noise, {.eta = eta}, x)) << eta;
  EXPECT_TRUE(refuses("ddpm", {1, 0}, noise, {.eta = 1}, x));
  EXPECT_TRUE(refuses("heun", {1, 0}, noise, {.s_churn = 1}, x));
  EXPECT_TRUE(refuses("ddim", {1, 0}, noise, {.variance = DdpmVariance::beta}, x));
  EXPECT_TRUE(refuses("dpmpp_2m", {1, 0}, noise, {.limit = [](std::span<double>) {}}, x));
  for (const double bad : {-1.0, nan, infinity}) {
    EXPECT_TRUE(refuses("edm", {1, 0}, noise, {.s_churn = bad}, x)) << bad;
    EXPECT_TRUE(refuses("edm", {1, 0}, noise, {.s_noise = bad}, x)) << bad;
  }
  for (const double bad : {-1.0, nan}) {
    EXPECT_TRUE(refuses("edm", {1, 0}, noise, {.s_tmin = bad}, x)) << bad;
    EXPECT_TRUE(refuses("edm", {1, 0}, noise, {.s_tmax = bad}, x)) << bad;
  }
  EXPECT_TRUE(refuses("edm", {2, 1}, {}, {}, x));
  EXPECT_TRUE(refuses("ddpm", {2, 1}, {}, {}, x));
  EXPECT_TRUE(refuses("ddim", {2, 1}, {}, {.eta = 0.5}, x));
  EXPECT_TRUE(refuses("ddim", {2, 1}, noise, {}, {}));
  EXPECT_EQ(x[0], 1);  // nothing ran

  std::vector<double> part(3);
  EXPECT_THROW(image_noise(1, 0, 2)(0, part), Error);
  EXPECT_THROW(image_noise(1, 0, 0)(0, part), Error);
  try {
    find_sampler("no such sampler");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ddpm, ddim"), std::string::npos) << error.what();
  }
}

TEST(SamplersTest, RefusalNamesTheOptionsThatThereAre) {
  std::vector<double> x{1};
  try {
    run_sampler(find_sampler("ddim"), gaussian_denoiser, std::vector<double>{1, 0}, {}, {.s_churn = 1}, x);
    ADD_FAILURE();
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* part : {"ddim", "s_churn", "eta"})
      EXPECT_NE(message.find(part), std::string::npos) << message;
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

}  // namespace
}  // namespace diffusion
