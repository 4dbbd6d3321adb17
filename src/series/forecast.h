#pragma once

// What is said of the values of a series that come next.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace diffusion {

// A forecast of one series as quantiles, at the levels 1%, 2%, ..., 99%, of each of the next `horizon`
// values.
class QuantileForecast {
 public:
  static constexpr int kLevels = 99;

  explicit QuantileForecast(int horizon) : horizon_(horizon), values_(std::size_t(kLevels * horizon)) {}

  // Paths [P, horizon]: quantiles of each value by itself, linear between the order statistics.
  // Error(internal) unless there is a whole path or more.
  static QuantileForecast of_paths(std::span<const double> paths, int horizon);
  // Without doubt: all quantiles are the same.
  static QuantileForecast of_point(std::span<const double> values);

  int horizon() const { return horizon_; }
  // The quantile of percent / 100, 1 <= percent <= 99, of value h, 0 <= h < horizon.
  double at(int percent, int h) const { return values_[place(percent, h)]; }
  void set(int percent, int h, double value) { values_[place(percent, h)] = value; }
  // The quantiles of value h from those of a sample of it. `sample` is sorted.
  void set_from(int h, std::vector<double>& sample);
  // Multiplies the distances of the quantiles from their median.
  void spread_by(double factor);

 private:
  std::size_t place(int percent, int h) const {
    return std::size_t(percent - 1) * std::size_t(horizon_) + std::size_t(h);
  }

  int horizon_;
  std::vector<double> values_;  // [kLevels, horizon]
};

}  // namespace diffusion
