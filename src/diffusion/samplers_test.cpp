#include "diffusion/samplers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <diffusion/error.h>
#include "diffusion/precondition.h"
#include "support/exact_gaussian.h"

namespace diffusion {
namespace {

using namespace exact_gaussian;

TEST(SamplersTest, EverySamplerGivesTheMeanInOneStepFromPureNoise) {
  for (const auto& [name, sampler, reference] : samplers()) {
    std::vector<double> x{-1e9, 3e8, 0};
    run_sampler(sampler, gaussian_denoiser, std::vector{1e9, 0.0}, image_noise(1, 0, 3), x);
    for (const double value : x) EXPECT_NEAR(value, kMean, 1e-6) << name;  // 1e9 - 1e9
  }
}

// Every sampler is affine in the numbers that it draws, so its mean and variance follow from its answer to
// each of them alone: element 0 draws only zeros, and element j + 1 a one in draw j.
TEST(SamplersTest, EverySamplerReproducesGaussianData) {
  constexpr int kSteps = 1000;
  const NoiseSource impulses = [](int draw, std::span<double> out) {
    std::ranges::fill(out, 0);
    out[std::size_t(draw) + 1] = 1;
  };
  for (const auto& [name, sampler, reference] : samplers()) {
    if (facts_of(sampler).consistency) continue;
    std::vector<double> x = started(impulses, std::hypot(80, kStd), kSteps + 2);
    run_sampler(sampler, gaussian_denoiser, karras_sigmas(kSteps, 0.002, 80), impulses, x);
    double variance = 0;
    for (const double value : x) variance += (value - x[0]) * (value - x[0]);
    EXPECT_NEAR(x[0], kMean, 0.005) << name;  // the start leaves out the mean: an error of m s / 80
    EXPECT_NEAR(variance / (kStd * kStd), 1, 0.015) << name;
    if (facts_of(sampler).order > 1) {
      EXPECT_NEAR(variance / (kStd * kStd), 1, 0.001) << name;
    }
  }
}

// With the exact solution of the ODE, any number of steps is exact.
TEST(SamplersTest, ConsistencyReproducesGaussianDataInOneStepAndInMany) {
  const NoiseSource impulses = [](int draw, std::span<double> out) {
    std::ranges::fill(out, 0);
    out[std::size_t(draw) + 1] = 1;
  };
  const Denoiser exact = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    for (std::size_t k = 0; k < x.size(); ++k)
      denoised[k] = kMean + kStd / std::hypot(kStd, sigma) * (x[k] - kMean);
  };
  for (const int steps : {1, 2, 4, 30}) {
    const NoiseLevels levels = noise_levels(Preconditioner(EdmProcess{}), steps, {.spacing = Spacing::angle});
    std::vector<double> x = started(impulses, std::hypot(80, kStd), std::size_t(steps) + 2);
    run_sampler(find_sampler("consistency"), exact, levels.sigmas, impulses, x);
    double variance = 0;
    for (const double value : x) variance += (value - x[0]) * (value - x[0]);
    EXPECT_NEAR(x[0], kMean, 0.003) << steps;  // the start leaves out the mean, which 80 hides
    EXPECT_NEAR(variance, kStd * kStd, 1e-12) << steps;
  }
}

TEST(SamplersTest, EverySamplerIsDeterministicAndIndependentOfTheBatch) {
  constexpr std::size_t kImage = 7;
  const std::vector<double> sigmas = karras_sigmas(6, 0.01, 10);
  for (const auto& [name, sampler, reference] : samplers()) {
    const auto sample = [&](std::uint64_t seed, std::uint32_t first, std::size_t images) {
      const NoiseSource noise = image_noise(seed, first, kImage);
      std::vector<double> x = started(noise, 10, images * kImage);
      run_sampler(sampler, gaussian_denoiser, sigmas, noise, x);
      return x;
    };
    const std::vector<double> batch = sample(3, 0, 4), alone = sample(3, 2, 1);
    EXPECT_EQ(batch, sample(3, 0, 4)) << name;
    EXPECT_EQ(std::vector(batch.begin() + 2 * kImage, batch.begin() + 3 * kImage), alone) << name;
    EXPECT_NE(batch, sample(4, 0, 4)) << name;
  }
}

TEST(SamplersTest, EverySamplerReportsItsSteps) {
  const std::vector<double> sigmas{5, 2, 1, 0};
  for (const auto& [name, sampler, reference] : samplers()) {
    std::vector<double> x{1, -2}, last;
    int calls = 0;
    run_sampler(sampler, gaussian_denoiser, sigmas, image_noise(1, 0, 2), x, [&](const SamplerStep& step) {
      EXPECT_EQ(step.index, calls);
      EXPECT_EQ(step.count, 3);
      EXPECT_EQ(step.sigma, sigmas[std::size_t(calls)]);
      EXPECT_EQ(step.sigma_next, sigmas[std::size_t(calls) + 1]);
      EXPECT_EQ(step.denoised.size(), 2u);
      last.assign(step.x.begin(), step.x.end());
      ++calls;
    });
    EXPECT_EQ(calls, 3) << name;
    EXPECT_EQ(last, x) << name;
  }
}

TEST(SamplersTest, StochasticFlagTellsTheTruth) {
  for (const auto& [name, sampler, reference] : samplers()) {
    std::vector<int> draws;
    std::vector<double> x{1};
    const NoiseSource spy = [&](int draw, std::span<double> out) {
      draws.push_back(draw);
      for (double& value : out) value = 0;
    };
    run_sampler(sampler, gaussian_denoiser, std::vector<double>{3, 1, 0}, spy, x);
    // Step 0 owns draw 1. Those that add noise after a step add none at 0; edm adds it before.
    const std::vector<int> expected = name == "edm" ? std::vector{1, 2} : std::vector{1};
    EXPECT_EQ(draws, facts_of(sampler).stochastic ? expected : std::vector<int>{}) << name;
  }
}

TEST(SamplersTest, ErrorOfTheOdeFallsWithTheDeclaredOrder) {
  int measured = 0;
  for (const auto& [name, sampler, reference] : samplers()) {
    if (facts_of(sampler).order == 0) continue;
    const double coarse = ode_error(sampler, smooth_levels(128)),
                 fine = ode_error(sampler, smooth_levels(256));
    EXPECT_NEAR(std::log2(coarse / fine), facts_of(sampler).order, 0.2) << name;
    EXPECT_GT(fine, 0) << name;
    EXPECT_LT(fine, 0.01) << name;
    ++measured;
  }
  EXPECT_EQ(measured, 16);
}

TEST(SamplersTest, StochasticSamplersWithoutNoiseSolveTheOdeToo) {
  const std::vector<double> coarse = smooth_levels(128), fine = smooth_levels(256);
  for (const Sampler& sampler :
       std::vector<Sampler>{EulerAncestral{.eta = 0}, DpmppSde{.values = 2, .eta = 0},
                            DpmppSde{.values = 3, .eta = 0}, Edm{.s_churn = 0}}) {
    EXPECT_FALSE(facts_of(sampler).stochastic) << name_of(sampler);
    EXPECT_NEAR(std::log2(ode_error(sampler, coarse) / ode_error(sampler, fine)), facts_of(sampler).order,
                0.2)
        << name_of(sampler);
  }
  EXPECT_TRUE(facts_of(Ddim{.eta = 0.5}).stochastic);
}

TEST(SamplersTest, CallTheDenoiserAsOftenAsDeclared) {
  for (const auto& [name, sampler, reference] : samplers())
    for (const std::vector<double>& sigmas :
         std::vector<std::vector<double>>{{3, 0}, {3, 1}, {3, 1, 0}, {9, 5, 3, 2, 1}, {9, 5, 3, 2, 0}}) {
      int calls = 0;
      const Denoiser counting = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
        ++calls;
        gaussian_denoiser(x, sigma, denoised);
      };
      std::vector<double> x{1};
      run_sampler(sampler, counting, sigmas, image_noise(1, 0, 1), x);
      EXPECT_EQ(calls, evaluations_of(sampler, sigmas)) << name << ", " << sigmas.size() << " levels";
    }
  EXPECT_EQ(evaluations_of(find_sampler("heun"), std::vector<double>{3, 2, 1, 0}), 5);
  EXPECT_EQ(evaluations_of(find_sampler("dpm2"), std::vector<double>{3, 2, 1}), 4);
  EXPECT_EQ(evaluations_of(find_sampler("pndm"), std::vector<double>{3, 2, 1, 0}), 4);
}

TEST(SamplersTest, ARepeatedLastLevelChangesNothing) {
  for (const auto& [name, sampler, reference] : samplers()) {
    // edm raises sigma first; a group of dpmpp_3s may go on, and sa_solver corrects the noisy step before.
    if (name == "edm" || name == "dpmpp_3s" || name == "sa_solver") continue;
    for (const int steps : {2, 20}) {  // careful at the end, and not
      std::vector<double> sigmas = smooth_levels(steps), states, x{3, -8};
      sigmas.push_back(sigmas.back());
      run_sampler(sampler, gaussian_denoiser, sigmas, image_noise(1, 0, 2), x, [&](const SamplerStep& step) {
        if (step.index + 2 == step.count) states.assign(step.x.begin(), step.x.end());
      });
      ASSERT_EQ(states.size(), 2u) << name;
      // unipc uses the repetition to correct the step before it.
      const double tolerance = name.starts_with("unipc") ? 1e-3 : 1e-12;
      for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(x[k], states[k], tolerance) << name;
    }
  }
}

TEST(SamplersTest, StopsAtTheLastLevelGiven) {
  std::vector<double> x{4}, denoised(1);
  gaussian_denoiser(x, 5, denoised);
  const double expected = denoised[0] + 2.0 / 5 * (4 - denoised[0]);
  run_sampler(find_sampler("ddim"), gaussian_denoiser, std::vector<double>{5, 2}, {}, x);
  EXPECT_DOUBLE_EQ(x[0], expected);
}

TEST(SamplersTest, RefusesBadArguments) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const NoiseSource noise = image_noise(1, 0, 1);
  std::vector<double> x{1};
  const auto refuses = [&](const Sampler& sampler, const std::vector<double>& sigmas,
                           const NoiseSource& source, std::span<double> state) {
    try {
      run_sampler(sampler, gaussian_denoiser, sigmas, source, state);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
    return false;
  };
  for (const std::vector<double>& sigmas : std::vector<std::vector<double>>{
           {}, {1}, {2, 1, 1, 0}, {1, 2}, {1, 0, 0}, {0, -1}, {1, -1}, {nan, 0}, {1, nan}, {infinity, 0}})
    EXPECT_TRUE(refuses(Euler{}, sigmas, noise, x)) << sigmas.size();
  EXPECT_TRUE(refuses(Ddim{.eta = 0.5}, {1, 2}, noise, x));  // only without noise
  EXPECT_TRUE(refuses(Ddim{}, {1, 2, 2}, noise, x));
  EXPECT_TRUE(refuses(Ddim{}, {0, 1}, noise, x));
  EXPECT_TRUE(refuses(Ddim{}, {1, 2, 1}, noise, x));
  for (const std::vector<double>& downs :
       std::vector<std::vector<double>>{{0.5}, {0.5, 0.1}, {-1, 0}, {1.5, 0}})
    EXPECT_TRUE(refuses(EulerAncestral{.downs = downs}, {2, 1, 0}, noise, x)) << downs.size();
  for (const std::vector<double>& boundary : std::vector<std::vector<double>>{{1}, {1, -1}, {1, nan}})
    EXPECT_TRUE(refuses(Consistency{boundary}, {2, 1, 0}, noise, x)) << boundary.size();
  for (const int order : {-1, 0, 5}) {
    EXPECT_TRUE(refuses(SaSolver{.predictor = order}, {1, 0}, noise, x)) << order;
    EXPECT_TRUE(refuses(SaSolver{.corrector = order}, {1, 0}, noise, x)) << order;
  }
  for (const double eta : {-0.1, 1.1, nan}) EXPECT_TRUE(refuses(Ddim{.eta = eta}, {1, 0}, noise, x)) << eta;
  for (const double bad : {-1.0, nan, infinity}) {
    EXPECT_TRUE(refuses(Edm{.s_churn = bad}, {1, 0}, noise, x)) << bad;
    EXPECT_TRUE(refuses(Edm{.s_noise = bad}, {1, 0}, noise, x)) << bad;
  }
  for (const double bad : {-1.0, nan}) {
    EXPECT_TRUE(refuses(Edm{.s_tmin = bad}, {1, 0}, noise, x)) << bad;
    EXPECT_TRUE(refuses(Edm{.s_tmax = bad}, {1, 0}, noise, x)) << bad;
  }
  for (const int values : {-1, 0, 1, 4}) {
    EXPECT_TRUE(refuses(Dpmpp{.values = values}, {1, 0}, noise, x)) << values;
    EXPECT_TRUE(refuses(DpmppSde{.values = values}, {1, 0}, noise, x)) << values;
    EXPECT_TRUE(refuses(DpmppSinglestep{.values = values}, {1, 0}, noise, x)) << values;
    EXPECT_TRUE(refuses(Unipc{.values = values}, {1, 0}, noise, x)) << values;
    EXPECT_TRUE(refuses(Deis{.values = values}, {1, 0}, noise, x)) << values;
  }
  EXPECT_TRUE(refuses(Edm{}, {2, 1}, {}, x));
  EXPECT_TRUE(refuses(Ddpm{}, {2, 1}, {}, x));
  EXPECT_TRUE(refuses(Ddim{.eta = 0.5}, {2, 1}, {}, x));
  EXPECT_TRUE(refuses(Ddim{}, {2, 1}, noise, {}));
  EXPECT_EQ(x[0], 1);  // nothing ran

  std::vector<double> part(3);
  EXPECT_THROW(image_noise(1, 0, 2)(0, part), Error);
  EXPECT_THROW(image_noise(1, 0, 0)(0, part), Error);
}

TEST(SamplersTest, PndmMayStartWithRungeKutta) {
  const std::vector<double> sigmas{2, 1.7, 1.4, 1.1, 0.8, 0.5};
  int calls = 0;
  const auto run = [&](const std::vector<double>& middles) {
    const double y = 0.9, per_std = (y - kMean) / kStd;
    std::vector<double> x{kMean + per_std * std::hypot(kStd, 2)};
    calls = 0;
    const Denoiser counting = [&](std::span<const double> state, double sigma, std::span<double> denoised) {
      ++calls;
      gaussian_denoiser(state, sigma, denoised);
    };
    run_sampler(Pndm{.middles = middles}, counting, sigmas, {}, x);
    EXPECT_EQ(calls, evaluations_of(Pndm{.middles = middles}, sigmas));
    return std::abs(x[0] - (kMean + per_std * std::hypot(kStd, 0.5)));
  };
  const double usual = run({});
  EXPECT_EQ(calls, 6);
  EXPECT_LT(run({1.85, 1.55, 1.25}), usual);
  EXPECT_EQ(calls, 14);
  EXPECT_LT(run({1.85, 1.55, 1.25, 0.95, 0.65}), 1e-4);  // of fourth order all the way
  EXPECT_EQ(calls, 20);
  for (const std::vector<double>& bad : std::vector<std::vector<double>>{
           {2}, {1.7}, {1.85, 1.8}, {std::nan("")}, {1.85, 1.55, 1.25, 0.95, 0.65, 0.2}})
    EXPECT_THROW(run(bad), Error);
}

TEST(SamplersTest, TheEndOfTheWalkIsAnOption) {
  const auto end = [](const Sampler& sampler, int steps) {
    std::vector<double> x{3};
    run_sampler(sampler, gaussian_denoiser, smooth_levels(steps), {}, x);
    return x[0];
  };
  // Below 15 steps lower_order_final is careful; from there on only unipc is.
  const auto check = [&](auto sampler, bool always) {
    auto careless = sampler;
    careless.lower_order_final = false;
    EXPECT_NE(end(careless, 8), end(sampler, 8)) << name_of(sampler);
    EXPECT_EQ(end(careless, 20) == end(sampler, 20), !always) << name_of(sampler);
  };
  for (const int values : {2, 3}) {
    check(Dpmpp{.values = values}, false);
    check(Deis{.values = values}, false);
    check(Unipc{.values = values}, true);
  }
  EXPECT_EQ(end(Dpmpp{.euler_at_final = true}, 8), end(Dpmpp{}, 8));
  EXPECT_NE(end(Dpmpp{.euler_at_final = true}, 20), end(Dpmpp{}, 20));
}

TEST(SamplersTest, ReportsNonFiniteResults) {
  const Denoiser broken = [](std::span<const double>, double, std::span<double> denoised) {
    for (double& value : denoised) value = std::nan("");
  };
  for (const auto& [name, sampler, reference] : samplers()) {
    std::vector<double> x{1};
    try {
      run_sampler(sampler, broken, std::vector<double>{2, 0}, image_noise(1, 0, 1), x);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::non_finite);
    }
  }
}

}  // namespace
}  // namespace diffusion
