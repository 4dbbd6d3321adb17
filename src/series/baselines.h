#pragma once

// Forecasts that need no training: what every model is compared with.

#include <functional>
#include <span>
#include <string_view>

#include "series/forecast.h"

namespace diffusion {

// What a baseline is told of a series. Gaps (NaN) are passed over: a value that would be repeated is looked
// for another season earlier, and where there is none, it is the last one that is known.
struct BaselineInput {
  std::span<const double> history;
  int horizon;
  int season;       // 1 or more steps: a day of hours has 24
  int long_season;  // a second, longer one, as a week of 168 hours; at most the season: there is none
};

// The value one season earlier, again and again; without doubt.
QuantileForecast seasonal_naive(const BaselineInput& in);

// The same, and around it how wrong it was in the history, for values as many seasons ahead.
QuantileForecast seasonal_naive_with_residuals(const BaselineInput& in);

// A mixture of the value one season and one long season earlier, with the errors that it had in the history
// at the same step of the horizon. The share of the mixture, 0 to 1 in tenths, is the one whose errors in the
// history are smallest.
QuantileForecast season_blend(const BaselineInput& in);

// The last value, and Gaussian steps of the variance of the history's.
QuantileForecast random_walk(const BaselineInput& in);

// All of them, in this order.
struct Baseline {
  std::string_view name;
  QuantileForecast (*forecast)(const BaselineInput& in);
};
std::span<const Baseline> baselines();

}  // namespace diffusion
