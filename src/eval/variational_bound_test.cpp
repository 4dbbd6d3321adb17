// Against tests/golden/likelihood.json, made by make_likelihood_goldens.py with NumPy and mpmath.

#include "eval/variational_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"
#include "files/fs.h"
#include "formats/json.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

constexpr const char* kLikelihoodFile = DIFFUSION_SOURCE_DIR "/tests/golden/likelihood.json";
constexpr DdpmVariance kPosterior = DdpmVariance::posterior, kBeta = DdpmVariance::beta;

const Json& likelihood_golden(std::string_view key) {
  static const Json json = parse_json(read_text_file(kLikelihoodFile, 1 << 20), kLikelihoodFile);
  return member(json, key, kLikelihoodFile);
}

double number_of(const Json& object, std::string_view key) {
  return to_double(member(object, key, kLikelihoodFile), kLikelihoodFile);
}
int whole(const Json& object, std::string_view key) {
  return int(to_int(member(object, key, kLikelihoodFile), kLikelihoodFile));
}

NoiseSchedule schedule_of(const Json& c, ScheduleKind kind) {
  return make_schedule(kind, whole(c, "T"), number_of(c, "beta_start"), number_of(c, "beta_end"));
}

// D that is exact for data N(mean, std^2).
LevelDenoiser gaussian_denoiser(double mean, double std) {
  return [=](std::span<const double> x, std::span<const double> sigmas, std::span<double> denoised) {
    const std::size_t size = x.size() / sigmas.size();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double sigma = sigmas[i / size];
      denoised[i] = mean + std * std / (std * std + sigma * sigma) * (x[i] - mean);
    }
  };
}

TEST(VariationalBound, TermsOfThePapers) {
  for (const Json& c : to_array(likelihood_golden("steps"), kLikelihoodFile)) {
    const NoiseSchedule schedule = schedule_of(
        c, parse_schedule_kind(to_string(member(c, "schedule", kLikelihoodFile), kLikelihoodFile)));
    for (const Json& term : to_array(member(c, "terms", kLikelihoodFile), kLikelihoodFile)) {
      const double squared_error = std::pow(number_of(term, "x0") - number_of(term, "estimate"), 2);
      const int t = whole(term, "t");
      const double posterior = number_of(term, "posterior"), beta = number_of(term, "beta");
      EXPECT_NEAR(step_divergence(schedule, t, kPosterior, squared_error), posterior, 1e-9 * posterior) << t;
      EXPECT_NEAR(step_divergence(schedule, t, kBeta, squared_error), beta, 1e-9 * beta) << t;
    }
    for (const Json& prior : to_array(member(c, "prior", kLikelihoodFile), kLikelihoodFile))
      EXPECT_NEAR(prior_divergence(schedule, number_of(prior, "x0")), number_of(prior, "kl"), 1e-10);
    EXPECT_NEAR(decoder_std(schedule, kPosterior), number_of(c, "decoder_std"), 1e-12);
    EXPECT_EQ(decoder_std(schedule, kBeta), std::sqrt(schedule.beta(0)));
  }
}

TEST(VariationalBound, DiscretizedGaussianFarIntoTheTails) {
  double lowest = 0;
  for (const Json& c : to_array(likelihood_golden("decoder"), kLikelihoodFile)) {
    const double expected = number_of(c, "log_probability"), level = whole(c, "level") / 127.5 - 1;
    EXPECT_NEAR(discretized_gaussian_log_probability(level, number_of(c, "mean"), number_of(c, "std")),
                expected, 1e-9 * std::abs(expected) + 1e-14)
        << whole(c, "level") << " " << number_of(c, "mean") << " " << number_of(c, "std");
    lowest = std::min(lowest, expected);
  }
  EXPECT_LT(lowest, -1e4);  // where the mass itself is 0 in double
}

TEST(VariationalBound, DiscretizedGaussianIsADistribution) {
  for (const double mean : {-3.0, -0.99, 0.004, 0.5, 1.2}) {
    double sum = 0;
    for (int k = 0; k < 256; ++k)
      sum += std::exp(discretized_gaussian_log_probability(k / 127.5 - 1, mean, 0.03));
    EXPECT_NEAR(sum, 1, 1e-12) << mean;
  }
}

// Nats of one number.
struct Mean {
  double posterior = 0, beta = 0, standard_error = 0;  // the latter of posterior
};
Mean mean_of(const std::vector<VariationalBound>& bounds, double size) {
  Mean mean;
  double squares = 0;
  const auto n = double(bounds.size());
  for (const VariationalBound& b : bounds) {
    const double posterior = (b.prior + b.posterior.steps + b.posterior.decoder) / size;
    mean.posterior += posterior / n;
    mean.beta += (b.prior + b.beta.steps + b.beta.decoder) / size / n;
    squares += posterior * posterior / n;
  }
  mean.standard_error = std::sqrt((squares - mean.posterior * mean.posterior) / n);
  return mean;
}

// Expectations and divergences of the golden are integrals in one dimension. Every number here has a noise of
// its own.
TEST(VariationalBound, OfGaussianDataIsTheIntegral) {
  const Json& g = likelihood_golden("gaussian");
  const NoiseSchedule schedule = schedule_of(g, ScheduleKind::linear);
  const LevelDenoiser denoise = gaussian_denoiser(number_of(g, "mean"), number_of(g, "std"));
  constexpr std::size_t kNumbers = 100'000;
  for (const Json& level : to_array(member(g, "levels", kLikelihoodFile), kLikelihoodFile)) {
    const std::vector<double> x0(kNumbers, whole(level, "level") / 127.5 - 1);
    const auto bound = variational_bounds(schedule, denoise, x0, 1, 0, {.terms = 100, .seed = 3}).front();
    const double posterior = number_of(level, "posterior_steps"), beta = number_of(level, "beta_steps"),
                 decoder = number_of(level, "decoder"), rest = number_of(level, "prior") + decoder;
    EXPECT_NEAR(bound.prior / kNumbers, number_of(level, "prior"), 1e-10);
    EXPECT_NEAR(bound.posterior.decoder / kNumbers, decoder, 0.01);
    EXPECT_NEAR(bound.posterior.steps / kNumbers, posterior, 0.01 * posterior);
    EXPECT_NEAR(bound.beta.steps / kNumbers, beta, 0.01 * beta);
    // It is a bound.
    EXPECT_GT(bound.posterior.steps / kNumbers + rest, number_of(level, "posterior_nll"));
    EXPECT_GT(bound.beta.steps / kNumbers + rest, number_of(level, "beta_nll"));
  }
}

// Images of data N(0, 1/16), of four numbers each. Hardly any is beyond the levels.
std::vector<double> gaussian_images(std::size_t count) {
  std::vector<double> x0(4 * count);
  fill_normal({5, Stream::init, 0, 0}, x0);
  for (double& v : x0) v = std::clamp(std::round((v / 4 + 1) * 127.5), 0., 255.) / 127.5 - 1;
  return x0;
}

TEST(VariationalBound, FewTermsAreUnbiasedAndTheirErrorIsKnown) {
  constexpr std::size_t kImages = 5000;
  const std::vector<double> x0 = gaussian_images(kImages);
  const LevelDenoiser denoise = gaussian_denoiser(0, 0.25);
  for (const ScheduleKind kind : {ScheduleKind::linear, ScheduleKind::cosine}) {
    const NoiseSchedule schedule = make_schedule(kind, 60, 1e-3, 0.3);
    const Mean all = mean_of(variational_bounds(schedule, denoise, x0, kImages, 0, {.terms = 59}), 4);
    const Mean few =
        mean_of(variational_bounds(schedule, denoise, x0, kImages, 0, {.terms = 4, .seed = 1}), 4);
    EXPECT_LT(few.standard_error, 2.5 * all.standard_error);
    EXPECT_LT(few.standard_error, 0.02 * few.posterior);
    EXPECT_NEAR(few.posterior, all.posterior, 4 * few.standard_error);
    EXPECT_NEAR(few.beta, all.beta, 4 * few.standard_error);
  }
}

TEST(VariationalBound, IsTightAndTellsWrongDenoisersSchedulesAndData) {
  constexpr std::size_t kImages = 2000;
  const std::vector<double> x0 = gaussian_images(kImages);
  std::vector<double> shifted = x0;
  for (double& v : shifted) v += 40 / 127.5;
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000),
                      ends_early = make_schedule(ScheduleKind::linear, 100, 1e-4, 2e-3);
  const auto bits = [&](const NoiseSchedule& s, const std::vector<double>& images, double mean, double std) {
    return mean_of(variational_bounds(s, gaussian_denoiser(mean, std), images, kImages, 0, {.terms = 16}), 4);
  };
  const Mean right = bits(schedule, x0, 0, 0.25);
  double exact = 0;
  for (const double v : x0) exact -= discretized_gaussian_log_probability(v, 0, 0.25) / double(x0.size());
  EXPECT_GT(right.posterior, exact + 0.1);
  EXPECT_NEAR(right.beta, exact,
              0.02);  // the best of all variances where the data spread more than the noise
  const double more = right.posterior + 6 * right.standard_error;
  EXPECT_GT(bits(schedule, shifted, 0, 0.25).posterior, more);
  EXPECT_GT(bits(schedule, x0, 0.3, 0.25).posterior, more);
  EXPECT_GT(bits(schedule, x0, 0, 0.1).posterior, more);
  EXPECT_GT(bits(ends_early, x0, 0, 0.25).posterior, more);  // its prior does not fit
}

TEST(VariationalBound, AnImageIsTheSameInAnyBatch) {
  const std::vector<double> x0 = gaussian_images(6);
  const NoiseSchedule schedule = make_schedule(ScheduleKind::cosine, 30);
  const LevelDenoiser denoise = gaussian_denoiser(0, 0.25);
  const auto together = variational_bounds(schedule, denoise, x0, 6, 10, {.terms = 5, .seed = 2});
  const auto alone =
      variational_bounds(schedule, denoise, std::span(x0).subspan(16, 4), 1, 14, {.terms = 5, .seed = 2});
  EXPECT_EQ(alone[0].posterior.steps, together[4].posterior.steps);
  EXPECT_EQ(alone[0].posterior.decoder, together[4].posterior.decoder);
  EXPECT_NE(together[3].posterior.decoder, together[4].posterior.decoder);
}

TEST(VariationalBound, OneTimestepIsPriorAndDecoder) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1, 0.5, 0.5);
  EXPECT_DOUBLE_EQ(decoder_std(schedule, kPosterior), std::sqrt(0.5));
  const std::vector<double> x0{0.2};
  const auto bound = variational_bounds(schedule, gaussian_denoiser(0, 0.25), x0, 1, 0, {});
  EXPECT_EQ(bound[0].posterior.steps, 0);
  EXPECT_GT(bound[0].posterior.decoder, 0);
}

TEST(VariationalBound, Refusals) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::cosine, 10);
  const LevelDenoiser denoise = gaussian_denoiser(0, 0.25);
  const std::vector<double> x0(6);
  const auto refuses = [&](std::size_t count, int terms, const char* word) {
    const std::string message = scratch::error_of(
        ErrorKind::usage, [&] { variational_bounds(schedule, denoise, x0, count, 0, {.terms = terms}); });
    EXPECT_NE(message.find(word), std::string::npos) << message;
  };
  refuses(0, 1, "0 images");
  refuses(4, 1, "4 images");
  refuses(2, 0, "terms");
  EXPECT_THROW(step_divergence(schedule, 0, kPosterior, 1), Error);
  EXPECT_THROW(step_divergence(schedule, 10, kPosterior, 1), Error);
}

}  // namespace
}  // namespace diffusion
