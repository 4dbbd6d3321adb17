#pragma once

// How good forecasts are, by the protocol of published comparisons (Ansari et al. 2024, "Chronos", arXiv
// 2403.07815, appendix D): WQL at the deciles and MASE. Points that are gaps in what really came are left
// out.

#include <optional>
#include <span>
#include <vector>

#include "series/forecast.h"

namespace diffusion {

// Of one series. Sums are over the points that are known.
struct SeriesScore {
  int points = 0;
  double target_sum = 0;        // of |y|
  double decile_loss_sum = 0;   // of 2 rho_q(y - forecast_q), mean over q = 0.1, ..., 0.9
  double crps_sum = 0;          // the same over q = 0.01, ..., 0.99, as integrals over all q
  double median_error_sum = 0;  // of |y - median|
  int inside50 = 0, inside80 = 0,
      inside90 = 0;  // points between the quantiles 25 and 75, 10 and 90, 5 and 95%
  // The mean error of the seasonal naive forecast in the history; none if that is 0 or unknown (a constant
  // series): then there are no scaled scores.
  std::optional<double> scale;

  std::optional<double> mase() const;         // median_error_sum / points / scale
  std::optional<double> scaled_loss() const;  // decile_loss_sum / points / scale
};

// `history`: what came before `target`, which has forecast.horizon() values; Error(internal) otherwise. Where
// the history has no two values a season apart, the scale is that of a season of 1, as in GluonTS.
SeriesScore score_series(const QuantileForecast& forecast, std::span<const double> target,
                         std::span<const double> history, int season);

// Of all series together. Shares of series and means of scaled scores are over those that have a scale.
struct ForecastScores {
  int series = 0, without_scale = 0;
  double wql = 0;               // sum of decile_loss_sum / sum of target_sum
  double crps = 0;              // sum of crps_sum / sum of target_sum
  double normalized_error = 0;  // sum of median_error_sum / sum of target_sum
  double mase = 0;              // mean over series
  double scaled_loss = 0;       // mean over series
  double better_than_naive =
      0;  // share of series whose scaled loss is below that of the seasonal naive forecast
  double coverage50 = 0, coverage80 = 0, coverage90 = 0;  // shares of points
};

// `naive`: scores of the seasonal naive forecast for the same series. `times`: how often each series counts,
// for resamples; empty: once. Scores of nothing are NaN.
ForecastScores summarize(std::span<const SeriesScore> scores, std::span<const SeriesScore> naive,
                         std::span<const int> times = {});

}  // namespace diffusion
