// Gaussian data, of which everything is known.

#include "eval/ode_likelihood.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include <diffusion/error.h>
#include "base/rng.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

// Numbers of an image are independent N(mean, std^2), each with its own.
struct Pixel {
  double mean, std;
};
constexpr std::array<Pixel, 4> kPixels{{{-0.98, 0.01}, {0.3, 0.2}, {0, 0.5}, {0.6, 0.9}}};
constexpr std::size_t kSize = kPixels.size();
constexpr OdeRange kRange{0.002, 200, 200, 32};

JacobianDenoiser gaussian_denoiser(std::array<Pixel, kSize> pixels = kPixels) {
  return [=](std::span<const double> x, std::span<const double> sigmas, std::span<const double> probe,
             std::span<double> denoised, std::span<double> product) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto [mean, std] = pixels[i % kSize];
      const double keep = std * std / (std * std + sigmas[i / kSize] * sigmas[i / kSize]);
      denoised[i] = mean + keep * (x[i] - mean);
      product[i] = keep * probe[i];
    }
  };
}

std::vector<double> pixels_of(std::size_t count) {
  std::vector<double> x(count * kSize);
  fill_normal({4, Stream::init, 0, 0}, x);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = kPixels[i % kSize].mean + kPixels[i % kSize].std * x[i];
  return x;
}

double normal_log(double x, double mean, double std) {
  return -(x - mean) * (x - mean) / (2 * std * std) - std::log(std * std::sqrt(2 * std::numbers::pi));
}

// The solution of the ODE goes away from the mean in proportion to the standard deviation at each level.
double exact(std::span<const double> image, const OdeRange& range) {
  double sum = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    const auto [mean, std] = kPixels[i];
    const double grown = std::hypot(std, range.sigma_max) / std::hypot(std, range.sigma_min);
    sum += normal_log(mean + grown * (image[i] - mean), 0, range.initial_std) + std::log(grown);
  }
  return sum;
}

double worst_error(const OdeRange& range, std::size_t count = 20) {
  const std::vector<double> x = pixels_of(count), probe(x.size(), 1);
  const std::vector<double> densities = ode_log_densities(gaussian_denoiser(), range, x, count, probe);
  double worst = 0;
  for (std::size_t k = 0; k < count; ++k)
    worst = std::max(worst, std::abs(densities[k] - exact(std::span(x).subspan(k * kSize, kSize), range)));
  return worst / kSize / std::numbers::ln2;  // bits per dimension
}

TEST(OdeLikelihood, OfGaussianDataIsTheirDensity) {
  OdeRange range = kRange;
  EXPECT_LT(worst_error(range), 1e-3);
  range.steps = 128;
  EXPECT_LT(worst_error(range), 1e-5);

  // With that range what is left of the data at the end does not count: it is the density of data with noise
  // sigma_min.
  const std::vector<double> x = pixels_of(1), probe(x.size(), -1);
  double expected = 0;
  for (std::size_t i = 0; i < kSize; ++i)
    expected += normal_log(x[i], kPixels[i].mean, std::hypot(kPixels[i].std, range.sigma_min));
  EXPECT_NEAR(ode_log_densities(gaussian_denoiser(), range, x, 1, probe)[0], expected, 1e-3);
}

TEST(OdeLikelihood, ErrorFallsWithTheFourthPowerOfSteps) {
  OdeRange range = kRange;
  double before = 0;
  for (const int steps : {16, 32, 64, 128}) {
    range.steps = steps;
    const double error = worst_error(range);
    if (before > 0) {
      EXPECT_GT(before / error, 11) << steps;
      EXPECT_LT(before / error, 24) << steps;
    }
    before = error;
  }
}

TEST(OdeLikelihood, AnyRangeOfAnyModel) {
  // The ends of linear and cosine schedules with 1000 timesteps, of zero terminal SNR, and of a flow.
  for (const OdeRange& range : {OdeRange{0.0023, 157, std::hypot(1, 157.), 128},
                                {0.0023, 20291, 20291, 128},
                                {0.0023, 4096, 4096, 128},
                                {0.0023, 999, 1000, 128},
                                {0.1, 1, 1.5, 128}})
    EXPECT_LT(worst_error(range), 1e-5) << range.sigma_max;
}

TEST(OdeLikelihood, WrongDenoisersAndDataAreLessLikely) {
  constexpr std::size_t kCount = 2000;
  const std::vector<double> x = pixels_of(kCount), probe(x.size(), 1);
  const auto mean = [&](std::span<const double> data, const std::array<Pixel, kSize>& pixels) {
    double sum = 0;
    for (const double v : ode_log_densities(gaussian_denoiser(pixels), kRange, data, kCount, probe)) sum += v;
    return sum / kCount;
  };
  const double right = mean(x, kPixels);
  std::array<Pixel, kSize> wrong = kPixels;
  wrong[1].std *= 1.5;
  EXPECT_LT(mean(x, wrong), right - 0.1);
  wrong = kPixels;
  wrong[1].std /= 1.5;
  EXPECT_LT(mean(x, wrong), right - 0.1);
  wrong = kPixels;
  wrong[2].mean += 0.2;
  EXPECT_LT(mean(x, wrong), right - 0.05);
  std::vector<double> shifted = x;
  for (double& v : shifted) v += 0.01;
  EXPECT_LT(mean(shifted, kPixels), right - 0.3);
}

// Data of two correlated numbers: the Jacobian has elements beside the diagonal, so one probe errs, and the
// mean of both signs of its second number does not.
TEST(OdeLikelihood, TraceIsUnbiased) {
  constexpr double kCorrelation = 0.8, kStd = 0.5;
  const JacobianDenoiser denoise = [](std::span<const double> x, std::span<const double> sigmas,
                                      std::span<const double> probe, std::span<double> denoised,
                                      std::span<double> product) {
    const auto keep = [&](double variance) { return variance / (variance + sigmas[0] * sigmas[0]); };
    const double sum = keep(kStd * kStd * (1 + kCorrelation)) / 2,
                 difference = keep(kStd * kStd * (1 - kCorrelation)) / 2;
    const auto apply = [&](std::span<const double> from, std::span<double> to) {
      to[0] = (sum + difference) * from[0] + (sum - difference) * from[1];
      to[1] = (sum - difference) * from[0] + (sum + difference) * from[1];
    };
    apply(x, denoised);
    apply(probe, product);
  };
  const std::vector<double> x{0.4, -0.1}, same{1, 1}, opposite{-1, 1};
  OdeRange range = kRange;
  range.steps = 64;
  const double a = ode_log_densities(denoise, range, x, 1, same)[0],
               b = ode_log_densities(denoise, range, x, 1, opposite)[0];
  const double low = range.sigma_min, along = std::hypot(kStd * std::sqrt(1 + kCorrelation), low),
               across = std::hypot(kStd * std::sqrt(1 - kCorrelation), low);
  const double expected = normal_log((x[0] + x[1]) / std::numbers::sqrt2, 0, along) +
                          normal_log((x[0] - x[1]) / std::numbers::sqrt2, 0, across);
  EXPECT_NEAR((a + b) / 2, expected, 1e-4);
  EXPECT_GT(std::abs(a - b), 0.5);
}

TEST(OdeLikelihood, AnImageIsTheSameInAnyBatch) {
  const std::vector<double> x = pixels_of(5), probe(x.size(), 1);
  const auto together = ode_log_densities(gaussian_denoiser(), kRange, x, 5, probe);
  const auto alone = ode_log_densities(gaussian_denoiser(), kRange, std::span(x).subspan(3 * kSize, kSize), 1,
                                       std::span(probe).first(kSize));
  EXPECT_EQ(alone[0], together[3]);
}

TEST(OdeLikelihood, NanShows) {
  std::vector<double> x = pixels_of(1);
  x[2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(
      std::isnan(ode_log_densities(gaussian_denoiser(), kRange, x, 1, std::vector<double>(kSize, 1))[0]));
}

TEST(OdeLikelihood, Refusals) {
  const std::vector<double> x = pixels_of(2), probe(x.size(), 1);
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const auto refuses = [&](const OdeRange& range, std::size_t count, std::size_t probes, const char* word) {
    const std::string message = scratch::error_of(ErrorKind::usage, [&] {
      ode_log_densities(gaussian_denoiser(), range, x, count, std::span(probe).first(probes));
    });
    EXPECT_NE(message.find(word), std::string::npos) << message;
  };
  refuses({0, 80, 80, 4}, 2, 8, "sigma 0");
  refuses({nan, 80, 80, 4}, 2, 8, "sigma nan");
  refuses({2, 1, 80, 4}, 2, 8, "sigma 2 to 1");
  refuses({1, infinity, 80, 4}, 2, 8, "inf");
  refuses({1, 80, 0, 4}, 2, 8, "standard deviation");
  refuses({1, 80, 80, 0}, 2, 8, "0 steps");
  refuses(kRange, 3, 8, "3 images");
  refuses(kRange, 0, 8, "0 images");
  refuses(kRange, 2, 7, "7 numbers of probes");
}

}  // namespace
}  // namespace diffusion
