#include "cli/options/forecast_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <diffusion/error.h>
#include "base/progress.h"
#include "cli/options/options.h"
#include "eval/forecast_evaluation.h"

namespace diffusion {

namespace {

constexpr std::size_t kMostCalibrationSeries = 100;
constexpr int kMostCalibrationPaths = 50;

double parse_spread(const std::string& text) {
  double spread = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), spread);
  if (failure != std::errc() || end != text.data() + text.size() || !(spread > 0 && spread <= 100))
    throw Error(
        ErrorKind::usage,
        fmt::format("--spread is \"{}\"; accepted are auto, and a number above 0, at most 100", text));
  return spread;
}

// Whether anything is known of the context before the last horizon, from which that can be forecast.
bool can_be_split(const TimeSeries& series, const SeriesForm& form) {
  const auto room = std::int64_t(series.values.size()) - form.context() - form.horizon;
  if (room < 0) return false;
  const auto first = series.values.begin() + room;
  return std::any_of(first, first + form.context(), [](double value) { return !std::isnan(value); });
}

// Of the series that can be split some, evenly from all if these are many.
SeriesTable some_series(const SeriesTable& table, const SeriesForm& form) {
  SeriesTable some = table;
  some.series.clear();
  const std::size_t count = table.series.size(), most = std::min(count, kMostCalibrationSeries);
  for (std::size_t k = 0; k < most; ++k)
    if (const TimeSeries& series = table.series[k * count / most]; can_be_split(series, form))
      some.series.push_back(series);
  return some;
}

}  // namespace

void add_forecast_options(CLI::App& app, ForecastArguments& a, const char* group) {
  app.add_option("--paths", a.paths, "Paths that are drawn for each series")
      ->check(in_range(1, 100'000))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app.add_option("--spread", a.spread,
                 "Multiply the distances of quantiles and paths from their median: a number, or auto, which\n"
                 "takes what would have been best for the last values of the history")
      ->type_name("S")
      ->capture_default_str()
      ->group(group);
}

std::vector<std::vector<double>> paths_with_progress(const std::string& title, const Model& model,
                                                     const Device& device, const SeriesTable& history,
                                                     const PathOptions& options, bool quiet) {
  Progress progress(title, std::int64_t(history.series.size()), quiet, "series");
  return forecast_paths(model, device, history, options,
                        [&](int done) { progress.update(std::int64_t(done)); });
}

std::vector<QuantileForecast> quantiles_of(const std::vector<std::vector<double>>& paths, int horizon) {
  std::vector<QuantileForecast> forecasts;
  for (const std::vector<double>& of_series : paths)
    forecasts.push_back(QuantileForecast::of_paths(of_series, horizon));
  return forecasts;
}

double spread_for(const ForecastArguments& a, const Model& model, const Device& device,
                  const SeriesTable& history, const PathOptions& options, bool quiet) {
  if (a.spread != "auto") return parse_spread(a.spread);
  check_forecast(model, history);
  const SeriesForm& form = *model.series;
  const SeriesTable some = some_series(history, form);
  if (some.series.empty()) return 1;
  const SplitSeries split = split_at_end(some, form.horizon);
  PathOptions fewer = options;
  fewer.paths = std::min(options.paths, kMostCalibrationPaths);
  const auto paths = paths_with_progress("calibrating", model, device, split.history, fewer, quiet);
  return calibrated_spread({split.history, split.future, form.horizon, form.season, form.long_season},
                           quantiles_of(paths, form.horizon));
}

}  // namespace diffusion
