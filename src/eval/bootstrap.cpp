#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>
#include "base/rng.h"
#include "eval/frechet.h"

namespace diffusion {

namespace {

constexpr double kLow = 0.05, kHigh = 0.95;

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / double(values.size());
}

// Of resamples around their mean.
Interval spread(std::span<const double> values) {
  constexpr std::size_t kFew = 20;
  const double center = mean(values);
  if (values.size() >= kFew) {
    const std::vector<double> all(values.begin(), values.end());
    return {quantile(all, kLow) - center, quantile(all, kHigh) - center};
  }
  double squares = 0;
  for (const double v : values) squares += (v - center) * (v - center);
  constexpr double kNormal = 1.6449;  // 95% of a normal distribution are below so many standard deviations
  const double reach = kNormal * std::sqrt(squares / std::max(1.0, double(values.size()) - 1));
  return {-reach, reach};
}

}  // namespace

Score share_of_trials(double share, double trials) {
  constexpr double kZ = 1.6448536269514722;
  const double spread = kZ * kZ / trials, middle = share + spread / 2,
               half = kZ * std::sqrt(share * (1 - share) / trials + spread / (4 * trials));
  return {share,
          {std::max(0.0, (middle - half) / (1 + spread)), std::min(1.0, (middle + half) / (1 + spread))}};
}

std::vector<int> resample(int count, std::uint64_t seed, std::uint32_t number, std::uint32_t set) {
  std::vector<int> times(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    ++times[uniform_below({seed, Stream::shuffle, set, number}, std::uint32_t(count), std::uint32_t(i))];
  return times;
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) throw Error(ErrorKind::internal, "a quantile of no values was asked for");
  std::ranges::sort(values);
  const double place = q * double(values.size() - 1);
  const auto below = std::size_t(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - double(below)) * (values[above] - values[below]);
}

Score bootstrap_mean(std::span<const double> values, int resamples, std::uint64_t seed) {
  std::vector<double> means;
  for (int b = 0; b < resamples; ++b) {
    const std::vector<int> times = resample(int(values.size()), seed, std::uint32_t(b), 0);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += times[i] * values[i];
    means.push_back(sum / double(values.size()));
  }
  return {mean(values), {quantile(means, kLow), quantile(means, kHigh)}};
}

Score bootstrap_frechet(const FeatureSet& generated, const FeatureSet& real, int resamples,
                        std::uint64_t seed) {
  const double distance = frechet_distance(generated, real);
  const auto resampled = [&](const FeatureSet& features, int number, std::uint32_t set) {
    Moments moments(features.width);
    moments.add(features.values, resample(features.count, seed, std::uint32_t(number), set));
    return moments.gaussian();
  };
  std::vector<double> distances;
  for (int b = 0; b < resamples; ++b)
    distances.push_back(frechet_distance(resampled(generated, b, 0), resampled(real, b, 1)));
  const auto [low, high] = spread(distances);
  return {distance, {std::max(0.0, distance + low), distance + high}};
}

}  // namespace diffusion
