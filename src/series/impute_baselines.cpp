#include "series/impute_baselines.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::int64_t kSeasonsAround = 7;

// The mean at the place of value i in the season, without value i itself; NaN where nothing is known.
double mean_of_season(std::span<const double> values, std::int64_t i, int season) {
  double sum = 0;
  int count = 0;
  for (std::int64_t back = -kSeasonsAround; back <= kSeasonsAround; ++back) {
    const std::int64_t other = i + back * season;
    if (back == 0 || other < 0 || other >= std::int64_t(values.size())) continue;
    if (const double value = values[std::size_t(other)]; !std::isnan(value)) {
      sum += value;
      ++count;
    }
  }
  return count > 0 ? sum / count : std::nan("");
}

// The mean at each place, also where a value is known; lines where there is none.
std::vector<double> profile(std::span<const double> values, int season) {
  std::vector<double> means(values.size());
  for (std::size_t i = 0; i < means.size(); ++i) means[i] = mean_of_season(values, std::int64_t(i), season);
  if (std::ranges::all_of(means, [](double mean) { return std::isnan(mean); }))
    return line_between(values, season);
  return line_between(means, season);
}

}  // namespace

std::vector<double> line_between(std::span<const double> values, int) {
  std::vector<double> filled(values.begin(), values.end());
  std::optional<std::size_t> before;
  for (std::size_t i = 0; i < filled.size(); ++i) {
    if (std::isnan(values[i])) continue;
    for (std::size_t k = before ? *before + 1 : 0; k < i; ++k)
      filled[k] = before ? std::lerp(values[*before], values[i], double(k - *before) / double(i - *before))
                         : values[i];
    before = i;
  }
  if (!before) throw Error(ErrorKind::internal, "line_between: nothing is known");
  std::fill(filled.begin() + std::ptrdiff_t(*before), filled.end(), values[*before]);
  return filled;
}

std::vector<double> seasonal_mean(std::span<const double> values, int season) {
  std::vector<double> filled = line_between(values, season);
  for (std::size_t i = 0; i < filled.size(); ++i) {
    if (!std::isnan(values[i])) continue;
    if (const double mean = mean_of_season(values, std::int64_t(i), season); !std::isnan(mean))
      filled[i] = mean;
  }
  return filled;
}

std::vector<double> seasonal_mean_and_line(std::span<const double> values, int season) {
  const std::vector<double> means = profile(values, season);
  std::vector<double> distances(values.size());
  std::ranges::transform(values, means, distances.begin(), std::minus());
  std::vector<double> filled = line_between(distances, season);
  for (std::size_t i = 0; i < filled.size(); ++i)
    filled[i] = std::isnan(values[i]) ? filled[i] + means[i] : values[i];
  return filled;
}

std::span<const ImputeBaseline> impute_baselines() {
  static constexpr std::array kBaselines{
      ImputeBaseline{"line between neighbors", line_between},
      ImputeBaseline{"seasonal mean", seasonal_mean},
      ImputeBaseline{"seasonal mean and line", seasonal_mean_and_line},
  };
  return kBaselines;
}

}  // namespace diffusion
