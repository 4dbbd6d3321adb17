#pragma once

// How good forecasts are, with the trivial ones beside them.

#include <cstdint>
#include <string>
#include <vector>

#include <diffusion/evaluate.h>
#include "series/forecast.h"
#include "series/scores.h"
#include "series/series.h"

namespace diffusion {

// One way to forecast, and its scores. Intervals are from 5% to 95% of those resamples of the series that
// have a score; NaN if none has.
struct ForecastRow {
  std::string name;
  ForecastScores scores;
  Interval wql, crps, normalized_error, scaled_loss, better_than_naive;
};

// The row of scores, of the same series as `naive` (summarize()).
ForecastRow score_row(const std::string& name, const std::vector<SeriesScore>& scores,
                      const std::vector<SeriesScore>& naive, std::uint64_t seed);

// What came after a history, and the forecasts of it.
struct ForecastTask {
  const SeriesTable& history;
  const SeriesTable& future;  // of each series `horizon` values
  int horizon, season, long_season;
};

struct NamedForecasts {
  std::string name;
  std::vector<QuantileForecast> forecasts;  // of each series
};

// `own`, then the baselines (series/baselines.h). Error(usage) naming the series if the future is not that of
// the history, or nothing of this is known.
std::vector<ForecastRow> evaluate_forecasts(const ForecastTask& task, const std::vector<NamedForecasts>& own,
                                            std::uint64_t seed = 0);

// By what the distances of quantiles from their median are to be multiplied, so that the mean scaled loss of
// the deciles over these series, whose future is known, is smallest: 0.5 to 3 in steps of 0.05. Where no
// series has a scale, so that WQL is.
double calibrated_spread(const ForecastTask& task, const std::vector<QuantileForecast>& forecasts);

}  // namespace diffusion
