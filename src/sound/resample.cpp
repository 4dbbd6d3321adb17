#include "sound/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <numeric>

namespace diffusion {

namespace {

constexpr double kCrossings = 32, kRolloff = 0.95, kKaiserBeta = 8;

double sinc(double x) {
  return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

// 1 in the middle, 0 beyond +-1.
double kaiser(double x) {
  if (std::abs(x) >= 1) return 0;
  return std::cyl_bessel_i(0.0, kKaiserBeta * std::sqrt(1 - x * x)) / std::cyl_bessel_i(0.0, kKaiserBeta);
}

}  // namespace

std::vector<float> resampled(std::span<const float> samples, int from, int to) {
  if (from == to) return {samples.begin(), samples.end()};
  const std::int64_t common = std::gcd(from, to), up = to / common, down = from / common;
  const double cutoff = kRolloff * std::min(1.0, double(to) / from);
  const auto reach = std::int64_t(std::ceil(kCrossings / cutoff));  // samples to each side
  const auto taps = std::size_t(2 * reach);
  // Between two samples a result lies at one of `up` places; each has its weights.
  std::vector<double> weights(std::size_t(up) * taps);
  for (std::int64_t phase = 0; phase < up; ++phase)
    for (std::size_t k = 0; k < taps; ++k) {
      const double distance = cutoff * (double(std::int64_t(k) - reach + 1) - double(phase) / double(up));
      weights[std::size_t(phase) * taps + k] = cutoff * sinc(distance) * kaiser(distance / kCrossings);
    }
  const auto count = std::int64_t(samples.size());
  std::vector<float> result(std::size_t((count * up + down - 1) / down));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t place = std::int64_t(i) * down, first = place / up - reach + 1;
    const double* const w = &weights[std::size_t(place % up) * taps];
    double sum = 0;
    for (std::int64_t k = std::max<std::int64_t>(0, -first); k < std::min(std::int64_t(taps), count - first);
         ++k)
      sum += w[k] * samples[std::size_t(first + k)];
    result[i] = float(sum);
  }
  return result;
}

}  // namespace diffusion
