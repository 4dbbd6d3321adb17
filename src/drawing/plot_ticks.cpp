#include <algorithm>
#include <cmath>

#include "drawing/plot.h"

namespace diffusion {

namespace {

std::vector<double> linear_ticks(double low, double high, int count) {
  const double rough = (high - low) / count, power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough) step = factor * power;
  std::vector<double> ticks;
  const double first = std::ceil(low / step), last = std::floor(high / step);
  for (int i = 0; i <= last - first; ++i) ticks.push_back((first + i) * step + 0.0);  // -0 becomes 0
  return ticks;
}

std::vector<double> decades(double low, double high, int count) {
  constexpr double kRounding = 1e-9;
  const int first = int(std::ceil(std::log10(low) - kRounding)),
            last = int(std::floor(std::log10(high) + kRounding));
  const int step = std::max((last - first + count) / count, 1);
  std::vector<double> ticks;
  for (int decade = first; decade <= last; ++decade)
    if (decade % step == 0) ticks.push_back(std::pow(10, decade));
  return ticks;
}

// 1, 2, 5, 10, 20, ...
std::vector<double> parts_of_decades(double low, double high) {
  std::vector<double> ticks;
  for (int decade = int(std::floor(std::log10(low))); decade <= int(std::floor(std::log10(high))); ++decade)
    for (const double factor : {1, 2, 5})
      if (const double tick = factor * std::pow(10, decade); tick >= low && tick <= high)
        ticks.push_back(tick);
  return ticks;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, AxisScale scale, int count) {
  if (scale == AxisScale::linear) return linear_ticks(low, high, count);
  const std::vector<double> ticks = decades(low, high, count);
  if (ticks.size() < 2) return linear_ticks(low, high, count);
  const std::vector<double> parts = parts_of_decades(low, high);
  return parts.size() <= std::size_t(count) ? parts : ticks;
}

}  // namespace diffusion
