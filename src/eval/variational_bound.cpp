#include "eval/variational_bound.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

namespace {

constexpr double kHalfLevel = 1 / 255.0;

// log Phi(-z) for z >= 0. erfc is 0 from z = 38 on; there the asymptotic series has full precision.
double log_upper_tail(double z) {
  if (z < 30) return std::log(std::erfc(z / std::numbers::sqrt2) / 2);
  const double r = 1 / (z * z);
  return -z * z / 2 - std::log(z * std::sqrt(2 * std::numbers::pi)) +
         std::log1p(-r * (1 - 3 * r * (1 - 5 * r)));
}

// Which of the terms t = 1 .. T - 1 to estimate: their probabilities, and sums of these.
class Terms {
 public:
  Terms(const NoiseSchedule& schedule, int wanted);

  int count() const { return all_ ? int(cumulative_.size()) : wanted_; }
  struct Draw {
    int t;
    double weight;  // of the term in the sum
  };
  Draw draw(int k, double uniform) const;

 private:
  int wanted_;
  bool all_;
  std::vector<double> cumulative_;  // at t - 1
};

Terms::Terms(const NoiseSchedule& schedule, int wanted)
    : wanted_(wanted), all_(wanted >= schedule.num_train_timesteps - 1) {
  constexpr double kDataVariance = 0.25, kUniformShare = 0.1;
  const std::vector<double>& sigmas = schedule.sigmas;
  std::vector<double> expected;
  double sum = 0;
  for (std::size_t t = 1; t < sigmas.size(); ++t) {
    const double error = kDataVariance / (1 + kDataVariance / (sigmas[t] * sigmas[t]));  // of the best D
    expected.push_back((std::pow(sigmas[t - 1], -2) - std::pow(sigmas[t], -2)) * error);
    sum += expected.back();
  }
  double total = 0;
  for (const double e : expected) {
    total += (1 - kUniformShare) * e / sum + kUniformShare / double(expected.size());
    cumulative_.push_back(total);
  }
}

Terms::Draw Terms::draw(int k, double uniform) const {
  if (all_) return {k + 1, 1};
  const double place = (k + uniform) / wanted_ * cumulative_.back();
  const auto at = std::size_t(std::ranges::upper_bound(cumulative_, place) - cumulative_.begin());
  const std::size_t i = std::min(at, cumulative_.size() - 1);
  const double probability = cumulative_[i] - (i > 0 ? cumulative_[i - 1] : 0);
  return {int(i) + 1, cumulative_.back() / (probability * wanted_)};
}

}  // namespace

double prior_divergence(const NoiseSchedule& schedule, double x0) {
  const double a = schedule.alphas_cumprod.back();
  return (a * x0 * x0 - a - std::log1p(-a)) / 2;
}

double step_divergence(const NoiseSchedule& schedule, int t, DdpmVariance variance, double squared_error) {
  if (t < 1)
    throw Error(ErrorKind::usage, fmt::format("the bound has no term of timestep {}; the first is 1", t));
  const double snr = schedule.snr(t), snr_before = schedule.snr(t - 1);
  const double posterior = (snr_before - snr) / 2 * squared_error;
  if (variance == DdpmVariance::posterior) return posterior;
  const double ratio =
      (1 + snr_before) / (1 + snr);  // (1 - a_t) / (1 - a_{t-1}): of beta_t to the posterior's variance
  return (1 / ratio - 1 + std::log(ratio)) / 2 + posterior / ratio;
}

double decoder_std(const NoiseSchedule& schedule, DdpmVariance variance) {
  if (variance == DdpmVariance::beta || schedule.num_train_timesteps == 1) return std::sqrt(schedule.beta(0));
  const double ratio = (1 + schedule.snr(0)) / (1 + schedule.snr(1));
  return std::sqrt(schedule.beta(1) / ratio);
}

double discretized_gaussian_log_probability(double level, double mean, double std) {
  const double low = (level - kHalfLevel - mean) / std, high = (level + kHalfLevel - mean) / std;
  if (level <= -1 + kHalfLevel)
    return high > 0 ? std::log1p(-std::exp(log_upper_tail(high))) : log_upper_tail(-high);
  if (level >= 1 - kHalfLevel)
    return low < 0 ? std::log1p(-std::exp(log_upper_tail(-low))) : log_upper_tail(low);
  if (low < 0 && high > 0)
    return std::log1p(-std::exp(log_upper_tail(-low)) - std::exp(log_upper_tail(high)));
  const double nearer = log_upper_tail(low >= 0 ? low : -high),
               farther = log_upper_tail(low >= 0 ? high : -low);
  return nearer + std::log(-std::expm1(farther - nearer));
}

std::vector<VariationalBound> variational_bounds(const NoiseSchedule& schedule, const LevelDenoiser& denoise,
                                                 std::span<const double> x0, std::size_t count,
                                                 std::uint32_t first_image,
                                                 const VariationalBoundOptions& options) {
  if (count == 0 || x0.empty() || x0.size() % count != 0)
    throw Error(ErrorKind::usage, fmt::format("{} numbers are not {} images of one size", x0.size(), count));
  if (options.terms < 1)
    throw Error(ErrorKind::usage,
                fmt::format("the number of terms of the bound is {}; accepted is 1 or more", options.terms));
  const std::size_t size = x0.size() / count;
  std::vector<double> x(x0.size()), denoised(x0.size()), sigmas(count);
  const auto add_noise = [&](std::size_t k, int t, std::uint32_t draw) {
    const std::span<double> image = std::span(x).subspan(k * size, size);
    fill_normal({options.seed, Stream::train_noise, first_image + std::uint32_t(k), draw}, image);
    sigmas[k] = schedule.sigma(t);
    for (std::size_t i = 0; i < size; ++i) image[i] = x0[k * size + i] + sigmas[k] * image[i];
  };

  std::vector<VariationalBound> bounds(count);
  const double posterior_std = decoder_std(schedule, DdpmVariance::posterior),
               beta_std = decoder_std(schedule, DdpmVariance::beta);
  for (std::size_t k = 0; k < count; ++k) add_noise(k, 0, 0);
  denoise(x, sigmas, denoised);
  for (std::size_t i = 0; i < x0.size(); ++i) {
    VariationalBound& b = bounds[i / size];
    b.prior += prior_divergence(schedule, x0[i]);
    b.posterior.decoder -= discretized_gaussian_log_probability(x0[i], denoised[i], posterior_std);
    b.beta.decoder -= discretized_gaussian_log_probability(x0[i], denoised[i], beta_std);
  }

  const Terms terms(schedule, options.terms);
  std::vector<Terms::Draw> draws(count);
  for (int term = 0; term < terms.count(); ++term) {
    for (std::size_t k = 0; k < count; ++k) {
      const RandomKey key{options.seed, Stream::noise_level, first_image + std::uint32_t(k), 0};
      draws[k] = terms.draw(term, uniform(key, std::uint32_t(term)));
      add_noise(k, draws[k].t, std::uint32_t(term) + 1);
    }
    denoise(x, sigmas, denoised);
    for (std::size_t k = 0; k < count; ++k) {
      const auto [t, weight] = draws[k];
      double squared_error = 0;
      for (std::size_t i = k * size; i < (k + 1) * size; ++i)
        squared_error += (x0[i] - denoised[i]) * (x0[i] - denoised[i]);
      const double mean = squared_error / double(size), numbers = weight * double(size);
      bounds[k].posterior.steps += numbers * step_divergence(schedule, t, DdpmVariance::posterior, mean);
      bounds[k].beta.steps += numbers * step_divergence(schedule, t, DdpmVariance::beta, mean);
    }
  }
  return bounds;
}

}  // namespace diffusion
