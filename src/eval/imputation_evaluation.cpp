#include "eval/imputation_evaluation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include "series/impute_baselines.h"

namespace diffusion {

namespace {

// Keys of hidden values: the sample is the series, and the step says which task, and whether again.
RandomKey hiding_key(std::uint64_t seed, std::size_t series, const HidingTask& task, bool again) {
  const auto percent = std::uint32_t(std::lround(100 * task.share));
  return {seed, Stream::hidden, std::uint32_t(series),
          4 * percent + 2 * std::uint32_t(task.hiding == Hiding::blocks) + std::uint32_t(again)};
}

TimeSeries end_of(const SeriesTable& table, const TimeSeries& series, std::int64_t count) {
  const std::int64_t first = std::max<std::int64_t>(0, std::int64_t(series.values.size()) - count);
  return {series.id, {series.values.begin() + first, series.values.end()}, time_of(table, series, first)};
}

// Whether it is not constant, and something is known of every window of `cells` values.
bool says_something(const TimeSeries& series, int cells) {
  double low = INFINITY, high = -INFINITY;
  int unknown = 0, longest = 0;
  for (const double value : series.values) {
    unknown = std::isnan(value) ? unknown + 1 : 0;
    longest = std::max(longest, unknown);
    if (unknown > 0) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return low < high && longest < cells;
}

// The fillings of a baseline at the places, and around them its errors where known values are hidden.
QuantileForecast with_errors(const ImputeBaseline& baseline, const TimeSeries& shown,
                             const std::vector<std::int64_t>& places, int season,
                             const std::vector<bool>& hidden_again) {
  const std::vector<double> filled = baseline.fill(shown.values, season);
  std::vector<double> fewer = shown.values, errors, sample;
  for (std::size_t i = 0; i < fewer.size(); ++i)
    if (hidden_again[i]) fewer[i] = std::nan("");
  const bool any = std::ranges::any_of(fewer, [](double value) { return !std::isnan(value); });
  const std::vector<double> guessed = any ? baseline.fill(fewer, season) : filled;
  for (std::size_t i = 0; i < fewer.size(); ++i)
    if (hidden_again[i] && !std::isnan(shown.values[i])) errors.push_back(shown.values[i] - guessed[i]);
  if (errors.empty()) errors.push_back(0);
  QuantileForecast forecast(int(places.size()));
  for (std::size_t h = 0; h < places.size(); ++h) {
    sample = errors;
    for (double& value : sample) value += filled[std::size_t(places[h])];
    forecast.set_from(int(h), sample);
  }
  return forecast;
}

std::vector<SeriesScore> scores_of_filling(const HiddenSeries& hidden, int season,
                                           const std::vector<QuantileForecast>& filled) {
  std::vector<SeriesScore> scores;
  std::vector<double> target;
  for (std::size_t k = 0; k < filled.size(); ++k) {
    const std::vector<double>& whole = hidden.whole.series[k].values;
    target.clear();
    for (const std::int64_t place : hidden.places[k]) target.push_back(whole[std::size_t(place)]);
    scores.push_back(score_series(filled[k], target, whole, season));
  }
  return scores;
}

}  // namespace

std::vector<HidingTask> hiding_tasks() {
  std::vector<HidingTask> tasks;
  for (const Hiding hiding : {Hiding::points, Hiding::blocks})
    for (const double share : {0.1, 0.5, 0.9}) tasks.push_back({hiding, share});
  return tasks;
}

HiddenSeries hide_values(const SeriesTable& table, const SeriesForm& form, const HidingTask& task,
                         std::uint64_t seed) {
  HiddenSeries hidden{table, table, {}, 0};
  hidden.whole.series.clear();
  hidden.shown.series.clear();
  for (std::size_t k = 0; k < table.series.size(); ++k) {
    TimeSeries whole =
        end_of(table, table.series[k], std::max(form.cells(), form.horizon + form.cells() / 2));
    TimeSeries shown = whole;
    const int count = int(whole.values.size());
    const std::vector<bool> pattern =
        hidden_values(count, task.hiding, task.share, form.season, hiding_key(seed, k, task, false));
    std::vector<std::int64_t> places;
    for (int i = 0; i < count; ++i) {
      if (!pattern[std::size_t(i)] || std::isnan(whole.values[std::size_t(i)])) continue;
      shown.values[std::size_t(i)] = std::nan("");
      if (i >= count - form.horizon) places.push_back(i);
    }
    if (count < form.cells() || places.empty() || !says_something(shown, form.cells())) {
      ++hidden.left_out;
      continue;
    }
    hidden.whole.series.push_back(std::move(whole));
    hidden.shown.series.push_back(std::move(shown));
    hidden.places.push_back(std::move(places));
  }
  return hidden;
}

std::vector<ForecastRow> evaluate_imputation(const HiddenSeries& hidden, const HidingTask& task, int season,
                                             const std::vector<std::vector<double>>& own,
                                             std::uint64_t seed) {
  const std::size_t count = hidden.shown.series.size();
  if (count == 0) throw Error(ErrorKind::usage, "no series has values that can be hidden and filled in");
  std::vector<std::pair<std::string, std::vector<QuantileForecast>>> all;
  if (!own.empty()) {
    all.emplace_back("model", std::vector<QuantileForecast>());
    for (std::size_t k = 0; k < count; ++k)
      all.back().second.push_back(QuantileForecast::of_paths(own[k], int(hidden.places[k].size())));
  }
  const std::size_t line = all.size();
  for (const ImputeBaseline& baseline : impute_baselines()) {
    all.emplace_back(baseline.name, std::vector<QuantileForecast>());
    for (std::size_t k = 0; k < count; ++k) {
      const TimeSeries& shown = hidden.shown.series[k];
      const std::vector<bool> again = hidden_values(int(shown.values.size()), task.hiding, task.share, season,
                                                    hiding_key(seed, k, task, true));
      all.back().second.push_back(with_errors(baseline, shown, hidden.places[k], season, again));
    }
  }
  std::vector<std::vector<SeriesScore>> scores;
  for (const auto& [name, filled] : all) scores.push_back(scores_of_filling(hidden, season, filled));
  std::vector<ForecastRow> rows;
  for (std::size_t i = 0; i < all.size(); ++i)
    rows.push_back(score_row(all[i].first, scores[i], scores[line], seed));
  return rows;
}

}  // namespace diffusion
