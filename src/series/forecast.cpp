#include "series/forecast.h"

#include <algorithm>

#include <diffusion/error.h>

namespace diffusion {

void QuantileForecast::set_from(int h, std::vector<double>& sample) {
  if (sample.empty()) throw Error(ErrorKind::internal, "forecast: quantiles of an empty sample");
  std::ranges::sort(sample);
  for (int percent = 1; percent <= kLevels; ++percent) {
    const double place = percent / 100.0 * double(sample.size() - 1);
    const auto below = std::size_t(place);
    const std::size_t above = std::min(below + 1, sample.size() - 1);
    set(percent, h, sample[below] + (place - double(below)) * (sample[above] - sample[below]));
  }
}

QuantileForecast QuantileForecast::of_paths(std::span<const double> paths, int horizon) {
  if (horizon < 1 || paths.empty() || paths.size() % std::size_t(horizon) != 0)
    throw Error(ErrorKind::internal, "forecast: these are no whole paths");
  QuantileForecast forecast(horizon);
  std::vector<double> sample;
  for (int h = 0; h < horizon; ++h) {
    sample.clear();
    for (std::size_t i = std::size_t(h); i < paths.size(); i += std::size_t(horizon))
      sample.push_back(paths[i]);
    forecast.set_from(h, sample);
  }
  return forecast;
}

QuantileForecast QuantileForecast::of_point(std::span<const double> values) {
  QuantileForecast forecast(int(values.size()));
  for (int percent = 1; percent <= kLevels; ++percent)
    for (int h = 0; h < forecast.horizon(); ++h) forecast.set(percent, h, values[std::size_t(h)]);
  return forecast;
}

void QuantileForecast::spread_by(double factor) {
  for (int h = 0; h < horizon_; ++h) {
    const double median = at(50, h);
    for (int percent = 1; percent <= kLevels; ++percent)
      set(percent, h, median + factor * (at(percent, h) - median));
  }
}

}  // namespace diffusion
