// Samplers against their papers' formulas, and where they are exact.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "diffusion/precondition.h"
#include "diffusion/samplers.h"
#include "diffusion/spacings.h"
#include "support/exact_gaussian.h"

namespace diffusion {
namespace {

using namespace exact_gaussian;

TEST(SamplerAlgorithms, FourValuesAreOfFourthOrderOverEqualSteps) {
  const auto equal_levels = [](int steps) {
    std::vector<double> sigmas;
    for (int i = 0; i <= steps; ++i) sigmas.push_back(2 - 1.8 * i / steps);
    return sigmas;
  };
  const Sampler pndm = Pndm{};  // ipndm starts with Euler, which shows from this low level
  EXPECT_GT(std::log2(ode_error(pndm, equal_levels(128)) / ode_error(pndm, equal_levels(256))), 3.7);
}

TEST(SamplerAlgorithms, LmsIntegratesCubicNoiseExactly) {
  const Denoiser cubic = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    for (std::size_t k = 0; k < x.size(); ++k)
      denoised[k] =
          x[k] - sigma * (1 + sigma * (2 - sigma * (3 - 4 * sigma)));  // epsilon = 1 + 2 s - 3 s^2 + 4 s^3
  };
  const auto integral = [](double s) { return s * (1 + s * (1 - s * (1 - s))); };
  std::vector<double> x{5}, after_three;
  const std::vector<double> sigmas{3, 2.4, 2.1, 1.2, 1.1, 0.4, 0};
  run_sampler(Lms{}, cubic, sigmas, {}, x, [&](const SamplerStep& step) {
    if (step.index == 2) after_three.assign(step.x.begin(), step.x.end());
  });
  EXPECT_NEAR(x[0] - after_three.at(0), integral(0) - integral(1.2), 1e-12);
}

TEST(SamplerAlgorithms, DeisIntegratesQuadraticNoiseInLogSigmaExactly) {
  const Denoiser quadratic = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    const double u = std::log(sigma);
    for (std::size_t k = 0; k < x.size(); ++k) denoised[k] = x[k] - sigma * (1 - u + u * u);
  };
  const auto integral = [](double s) {  // of (1 - u + u^2) ds, u = log s
    const double u = std::log(s);
    return s * (1 - (u - 1) + (u * u - 2 * u + 2));
  };
  std::vector<double> sigmas = smooth_levels(16), x{5}, after_two;
  run_sampler(Deis{}, quadratic, sigmas, {}, x, [&](const SamplerStep& step) {
    if (step.index == 1) after_two.assign(step.x.begin(), step.x.end());
  });
  EXPECT_NEAR(x[0] - after_two.at(0), integral(sigmas.back()) - integral(sigmas[2]), 1e-9);
}

// A rectified flow in its own variables: x_t = (1 - t) y + t n, velocity n - y = (x_t - D) / t.
// The first level is at t = 1 - 2^-40.
TEST(SamplerAlgorithms, FlowSamplersAreThoseOfTheFlow) {
  const Preconditioner flow(RectifiedFlow{});
  const std::vector<double> sigmas = noise_levels(flow, 7, {.shift = 2.5}).sigmas;
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
  for (const auto& [name, expected] : {std::pair{"euler", euler_t}, {"flow_heun", heun_t}}) {
    std::vector<double> x{start * (1 + sigmas.front())};
    run_sampler(find_sampler(name), gaussian_denoiser, sigmas, {}, x);
    EXPECT_NEAR(x[0], expected, 1e-9) << name;
  }
}

// Karras et al. 2022, algorithm 2, line by line.
TEST(SamplerAlgorithms, EdmIsTheirAlgorithm) {
  const std::vector<double> t = karras_sigmas(9, 0.01, 20);
  const NoiseSource noise = image_noise(5, 0, 1);
  for (const double s_churn : {1.0, 30.0}) {
    const Edm edm{.s_churn = s_churn, .s_tmin = 0.05, .s_tmax = 10, .s_noise = 1.003};
    std::vector<double> x{14}, z(1), d1(1), d2(1);
    double y = x[0];
    run_sampler(edm, gaussian_denoiser, t, noise, x);
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

TEST(SamplerAlgorithms, DdpmWithVarianceBetaIsThePapersOtherChoice) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 40, 1e-3, 0.2);
  const NoiseSource noise = image_noise(2, 0, 1);
  std::vector<double> sigmas(schedule.sigmas.rbegin(), schedule.sigmas.rend());
  sigmas.push_back(0);
  std::vector<double> start = started(noise, 1, 1), x{start[0] * std::hypot(1, sigmas.front())}, x0(1), z(1);
  double expected = start[0];
  run_sampler(Ddpm{.variance = DdpmVariance::beta}, gaussian_denoiser, sigmas, noise, x);
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

TEST(SamplerAlgorithms, DdpmIsTheTextbookPosteriorWithTheSameNoise) {
  for (const ScheduleKind kind : {ScheduleKind::linear, ScheduleKind::cosine}) {
    const NoiseSchedule schedule = make_schedule(kind, 60, 1e-3, 0.2);
    const NoiseSource noise = image_noise(2, 0, 16);
    const std::vector<double> expected = textbook_ddpm(schedule, noise, started(noise, 1, 16));
    std::vector<double> sigmas(schedule.sigmas.rbegin(), schedule.sigmas.rend());
    sigmas.push_back(0);
    const std::vector<double> start = started(noise, std::hypot(1, sigmas.front()), 16);
    std::vector<double> ddpm = start, ddim = start;
    run_sampler(Ddpm{}, gaussian_denoiser, sigmas, noise, ddpm);
    run_sampler(Ddim{.eta = 1}, gaussian_denoiser, sigmas, noise, ddim);
    EXPECT_EQ(ddpm, ddim);
    for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(ddpm[i], expected[i], 1e-10) << to_string(kind);
  }
}

// Song et al. 2020, eq. 12 and 16, in VP form over skipped timesteps.
TEST(SamplerAlgorithms, DdimIsThePapersStepForEveryEta) {
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
    run_sampler(Ddim{.eta = eta}, gaussian_denoiser, sigmas, noise, x);
    for (std::size_t k = 0; k < 5; ++k) EXPECT_NEAR(x[k], expected[k], 1e-12) << "eta " << eta;
  }
}

// Up as Euler's method on the ODE, and so that going down again leads back.
TEST(SamplerAlgorithmsTest, DdimGoesUpFromAPictureToItsNoise) {
  std::vector<double> up{1e-9}, down;
  for (int i = 0; i <= 4000; ++i) up.push_back(0.002 * std::exp(i / 4000.0 * std::log(20 / 0.002)));
  down.assign(up.rbegin(), up.rend());
  const double picture = 0.9;
  std::vector<double> x{picture};
  run_sampler(Ddim{}, gaussian_denoiser, up, {}, x);
  const double exact = kMean + (picture - kMean) / kStd * std::hypot(kStd, 20);
  EXPECT_NEAR(x[0] / exact, 1, 1e-3);
  run_sampler(Ddim{}, gaussian_denoiser, down, {}, x);
  EXPECT_NEAR(x[0], picture, 2e-3);
}

TEST(SamplerAlgorithmsTest, EulerAncestralGoesDownAsFarAsItIsTold) {
  const std::vector<double> sigmas{5, 2, 0.7, 0.1};
  const NoiseSource noise = image_noise(4, 0, 3);
  const auto sample = [&](const Sampler& sampler) {
    std::vector<double> x = started(noise, 5, 3);
    run_sampler(sampler, gaussian_denoiser, sigmas, noise, x);
    return x;
  };
  const std::vector<double> all(sigmas.begin() + 1, sigmas.end()), ode = sample(Euler{});
  EXPECT_EQ(sample(EulerAncestral{.eta = 1, .downs = all}), ode);
  std::vector<double> as_eta;
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double ratio = sigmas[i + 1] / sigmas[i];
    as_eta.push_back(sigmas[i + 1] * std::sqrt(1 - 0.36 * (1 - ratio * ratio)));
  }
  const std::vector<double> told = sample(EulerAncestral{.downs = as_eta}),
                            eta = sample(EulerAncestral{.eta = 0.6});
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(told[k], eta[k], 1e-12);
}

TEST(SamplerAlgorithmsTest, TheBoundaryOfLatentConsistencyModelsKeepsWhatHasNoNoise) {
  const auto end = [](double r) {
    std::vector<double> x{3};
    run_sampler(Consistency{{r}}, gaussian_denoiser, std::vector<double>{2, 0}, image_noise(1, 0, 1), x);
    return x[0];
  };
  std::vector<double> x{3}, denoised(1);
  gaussian_denoiser(x, 2, denoised);
  EXPECT_DOUBLE_EQ(end(0), 3 / std::sqrt(5));  // c_skip is 1: the state in VP form
  EXPECT_NEAR(end(1e9), denoised[0], 1e-8);
}

// A step of the second group does not know of the first one.
TEST(SamplerAlgorithmsTest, SingleStepsForgetTheGroupBefore) {
  for (const int values : {2, 3}) {
    std::vector<double> sigmas;
    for (int i = 0; i <= 2 * values; ++i) sigmas.push_back(4 * std::exp(-0.3 * i));
    const auto middle = std::ptrdiff_t(values);
    std::vector<double> whole{2}, parts{2};
    run_sampler(DpmppSinglestep{.values = values}, gaussian_denoiser, sigmas, {}, whole);
    run_sampler(DpmppSinglestep{.values = values}, gaussian_denoiser,
                std::vector(sigmas.begin(), sigmas.begin() + middle + 1), {}, parts);
    run_sampler(DpmppSinglestep{.values = values}, gaussian_denoiser,
                std::vector(sigmas.begin() + middle, sigmas.end()), {}, parts);
    EXPECT_DOUBLE_EQ(whole[0], parts[0]) << values;
  }
}

TEST(SamplerAlgorithmsTest, SaSolverWithoutNoiseSolvesTheOde) {
  struct Case {
    int predictor, corrector, order;
  };
  for (const Case& c : {Case{1, 1, 1}, Case{1, 2, 2}, Case{2, 2, 2}, Case{2, 3, 3}}) {
    const SaSolver solver{.predictor = c.predictor, .corrector = c.corrector, .tau = 0};
    EXPECT_FALSE(facts_of(solver).stochastic);
    EXPECT_NEAR(std::log2(ode_error(solver, smooth_levels(128)) / ode_error(solver, smooth_levels(256))),
                c.order, 0.35)
        << c.predictor << " " << c.corrector;
  }
}

TEST(SamplerAlgorithmsTest, SaSolverDrawsNoiseWhereItIsTold) {
  const std::vector<double> sigmas{5, 3, 2, 1, 0.5, 0};
  std::vector<int> draws;
  const NoiseSource spy = [&](int draw, std::span<double> out) {
    draws.push_back(draw);
    std::ranges::fill(out, 0);
  };
  std::vector<double> x{1};
  run_sampler(SaSolver{.s_tmin = 1, .s_tmax = 3}, gaussian_denoiser, sigmas, spy, x);
  EXPECT_EQ(draws, (std::vector{2, 3, 4}));
}

TEST(SamplerAlgorithmsTest, IpndmMayCountItsStartAsAValue) {
  const std::vector<double> sigmas{4, 3};
  std::vector<double> x{2}, denoised(1);
  gaussian_denoiser(x, 4, denoised);
  const double epsilon = (x[0] - denoised[0]) / 4, expected = 2 - (1.5 * epsilon - 0.5 * 2 / 4);
  run_sampler(Ipndm{.starts_with_noise = true}, gaussian_denoiser, sigmas, {}, x);
  EXPECT_NEAR(x[0], expected, 1e-15);
}

}  // namespace
}  // namespace diffusion
