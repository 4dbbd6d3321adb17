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
#include "support/exact_gaussian.h"

namespace diffusion {
namespace {

using namespace exact_gaussian;

TEST(SamplersTest, EverySamplerGivesTheMeanInOneStepFromPureNoise) {
  for (const SamplerEntry& sampler : samplers()) {
    std::vector<double> x{-1e9, 3e8, 0};
    run_sampler(sampler, gaussian_denoiser, std::vector{1e9, 0.0}, image_noise(1, 0, 3), {}, x);
    for (const double value : x) EXPECT_NEAR(value, kMean, 1e-6) << sampler.name;  // 1e9 - 1e9
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
  for (const SamplerEntry& sampler : samplers()) {
    if (sampler.consistency) continue;
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
    const NoiseLevels levels =
        noise_levels(Preconditioner(EdmParameters{}), steps, {.spacing = Spacing::angle});
    std::vector<double> x = started(impulses, std::hypot(80, kStd), std::size_t(steps) + 2);
    run_sampler(find_sampler("consistency"), exact, levels.sigmas, impulses, {}, x);
    double variance = 0;
    for (const double value : x) variance += (value - x[0]) * (value - x[0]);
    EXPECT_NEAR(x[0], kMean, 0.003) << steps;  // the start leaves out the mean, which 80 hides
    EXPECT_NEAR(variance, kStd * kStd, 1e-12) << steps;
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
  EXPECT_EQ(measured, 14);
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
  EXPECT_TRUE(refuses("euler", {1, 0}, noise, {.lower_order_final = true}, x));
  EXPECT_TRUE(refuses("unipc", {1, 0}, noise, {.euler_at_final = true}, x));
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
    run_sampler(find_sampler("pndm"), counting, sigmas, {}, {.middles = middles}, x);
    EXPECT_EQ(calls, evaluations_of(find_sampler("pndm"), sigmas, middles.size()));
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
  const auto end = [](const char* name, int steps, const SamplerOptions& options) {
    std::vector<double> x{3};
    run_sampler(find_sampler(name), gaussian_denoiser, smooth_levels(steps), {}, options, x);
    return x[0];
  };
  // Below 15 steps lower_order_final is the default; from there on only unipc knows it.
  for (const char* name : {"dpmpp_2m", "dpmpp_3m", "unipc", "unipc_3", "deis", "deis_2"}) {
    EXPECT_EQ(end(name, 8, {.lower_order_final = true}), end(name, 8, {})) << name;
    EXPECT_NE(end(name, 8, {.lower_order_final = false}), end(name, 8, {})) << name;
    const bool always = std::string_view(name).starts_with("unipc");
    EXPECT_EQ(end(name, 20, {.lower_order_final = false}) == end(name, 20, {}), !always) << name;
  }
  EXPECT_EQ(end("dpmpp_2m", 8, {.euler_at_final = true}), end("dpmpp_2m", 8, {}));
  EXPECT_NE(end("dpmpp_2m", 20, {.euler_at_final = true}), end("dpmpp_2m", 20, {}));
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
