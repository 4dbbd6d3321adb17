#include "eval/forecast_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include "eval/bootstrap.h"
#include "series/baselines.h"

namespace diffusion {

namespace {

constexpr int kSeriesResamples = 1000;
constexpr std::uint32_t kSeriesSet = 77;

void check_task(const ForecastTask& task) {
  const auto& known = task.history.series;
  const auto& came = task.future.series;
  if (known.size() != came.size())
    throw Error(ErrorKind::usage, fmt::format("{} series are known and {} came; these must be the same",
                                              known.size(), came.size()));
  for (std::size_t k = 0; k < known.size(); ++k) {
    if (std::ranges::all_of(known[k].values, [](double value) { return std::isnan(value); }))
      throw Error(ErrorKind::usage,
                  fmt::format("series {} of {}: none of its values before the last {} is known, so there is "
                              "nothing to forecast from",
                              known[k].id, task.history.name, task.horizon));
    if (int(came[k].values.size()) != task.horizon)
      throw Error(ErrorKind::usage,
                  fmt::format("of series {} {} values came; accepted is the horizon, {}", known[k].id,
                              came[k].values.size(), task.horizon),
                  {"horizon"});
  }
}

// Resamples may have no score: of constant series only, none is scaled.
Interval interval_of(std::vector<double>& values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return {std::nan(""), std::nan("")};
  return {quantile(values, 0.05), quantile(values, 0.95)};
}

std::vector<SeriesScore> scores_of(const ForecastTask& task, const std::vector<QuantileForecast>& forecasts) {
  std::vector<SeriesScore> scores;
  for (std::size_t k = 0; k < forecasts.size(); ++k)
    scores.push_back(
        score_series(forecasts[k], task.future.series[k].values, task.history.series[k].values, task.season));
  return scores;
}

}  // namespace

ForecastRow score_row(const std::string& name, const std::vector<SeriesScore>& scores,
                      const std::vector<SeriesScore>& naive, std::uint64_t seed) {
  ForecastRow row{name, summarize(scores, naive), {}, {}, {}, {}, {}};
  std::vector<double> wql, crps, error, scaled, better;
  for (int b = 0; b < kSeriesResamples; ++b) {
    const std::vector<int> times = resample(int(scores.size()), seed, std::uint32_t(b), kSeriesSet);
    const ForecastScores s = summarize(scores, naive, times);
    wql.push_back(s.wql);
    crps.push_back(s.crps);
    error.push_back(s.normalized_error);
    scaled.push_back(s.scaled_loss);
    better.push_back(s.better_than_naive);
  }
  row.wql = interval_of(wql);
  row.crps = interval_of(crps);
  row.normalized_error = interval_of(error);
  row.scaled_loss = interval_of(scaled);
  row.better_than_naive = interval_of(better);
  return row;
}

std::vector<ForecastRow> evaluate_forecasts(const ForecastTask& task, const std::vector<NamedForecasts>& own,
                                            std::uint64_t seed) {
  check_task(task);
  std::vector<std::pair<std::string, std::vector<SeriesScore>>> all;
  for (const NamedForecasts& named : own) all.emplace_back(named.name, scores_of(task, named.forecasts));
  const std::size_t naive = all.size();
  for (const Baseline& baseline : baselines()) {
    std::vector<QuantileForecast> forecasts;
    for (const TimeSeries& series : task.history.series)
      forecasts.push_back(baseline.forecast({series.values, task.horizon, task.season, task.long_season}));
    all.emplace_back(baseline.name, scores_of(task, forecasts));
  }
  std::vector<ForecastRow> rows;
  for (const auto& [name, scores] : all) rows.push_back(score_row(name, scores, all[naive].second, seed));
  return rows;
}

double calibrated_spread(const ForecastTask& task, const std::vector<QuantileForecast>& forecasts) {
  check_task(task);
  double best = 1, smallest = std::numeric_limits<double>::infinity();
  for (int step = 10; step <= 60; ++step) {
    std::vector<QuantileForecast> spread = forecasts;
    for (QuantileForecast& forecast : spread) forecast.spread_by(step / 20.0);
    const std::vector<SeriesScore> scores = scores_of(task, spread);
    const ForecastScores all = summarize(scores, scores);
    const double loss = all.without_scale < all.series ? all.scaled_loss : all.wql;
    if (!(loss < smallest)) continue;
    smallest = loss;
    best = step / 20.0;
  }
  return best;
}

}  // namespace diffusion
