#include "cli/output/forecast_plot.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "drawing/plot.h"

namespace diffusion {

namespace {

constexpr int kWidth = 640, kHeight = 320, kShownHorizons = 3;

Band band_of(const QuantileForecast& forecast, int low, int high, double strength) {
  Band band{.x = {}, .low = {}, .high = {}, .color = 1, .strength = strength};
  for (int h = 0; h < forecast.horizon(); ++h) {
    band.x.push_back(h + 1);
    band.low.push_back(forecast.at(low, h));
    band.high.push_back(forecast.at(high, h));
  }
  return band;
}

// Over steps from the end of what is known.
Plot plot_of(const TimeSeries& series, const QuantileForecast& forecast) {
  Series known{.name = "known", .x = {}, .y = {}, .color = 6},
      median{.name = "median, 50% and 90%", .x = {}, .y = {}, .color = 1};
  const auto length = std::int64_t(series.values.size());
  for (std::int64_t i = std::max<std::int64_t>(0, length - kShownHorizons * forecast.horizon()); i < length;
       ++i) {
    known.x.push_back(double(i - length + 1));
    known.y.push_back(series.values[std::size_t(i)]);
  }
  for (int h = 0; h < forecast.horizon(); ++h) {
    median.x.push_back(h + 1);
    median.y.push_back(forecast.at(50, h));
  }
  return {.title = series.id,
          .x = {"steps after the last known value"},
          .y = {},
          .series = {std::move(known), std::move(median)},
          .bands = {band_of(forecast, 5, 95, 0.25), band_of(forecast, 25, 75, 0.5)}};
}

constexpr std::int64_t kShownAround = 84;  // values on either side of a gap

// Over the numbers of values in the series. Neighbors that are known end the bands.
Plot plot_of_gaps(const TimeSeries& series, const std::vector<std::int64_t>& places,
                  const QuantileForecast& filled) {
  Series known{.name = "known", .x = {}, .y = {}, .color = 6},
      median{.name = "median, 50% and 90%", .x = {}, .y = {}, .color = 1};
  Band wide{.x = {}, .low = {}, .high = {}, .color = 1, .strength = 0.25}, narrow = wide;
  narrow.strength = 0.5;
  const std::int64_t middle = places[places.size() / 2], length = std::int64_t(series.values.size());
  const std::int64_t end =
      std::min(length, std::max<std::int64_t>(0, middle - kShownAround) + 2 * kShownAround);
  std::size_t next = 0;
  for (std::int64_t i = std::max<std::int64_t>(0, end - 2 * kShownAround); i < end; ++i) {
    while (next < places.size() && places[next] < i) ++next;
    const bool fills = next < places.size() && places[next] == i;
    const double value = series.values[std::size_t(i)];
    known.x.push_back(double(i + 1));
    known.y.push_back(value);
    const auto at = [&](int percent) { return fills ? filled.at(percent, int(next)) : value; };
    median.x.push_back(double(i + 1));
    median.y.push_back(at(50));
    for (const auto& [band, low] : {std::pair{&wide, 5}, std::pair{&narrow, 25}}) {
      if (std::isnan(at(50))) continue;
      band->x.push_back(double(i + 1));
      band->low.push_back(at(low));
      band->high.push_back(at(100 - low));
    }
  }
  return {.title = series.id,
          .x = {"number of the value"},
          .y = {},
          .series = {std::move(median), std::move(known)},
          .bands = {std::move(wide), std::move(narrow)}};
}

// Of many series some, evenly from all.
template <class PlotOf>
Drawing draw_some(std::size_t count, const PlotOf& plot_of_series) {
  const std::size_t shown = std::min<std::size_t>(count, kMostPlottedSeries);
  std::vector<Plot> plots;
  for (std::size_t k = 0; k < shown; ++k) plots.push_back(plot_of_series(k * count / shown));
  return draw_plots(plots, kWidth, kHeight);
}

}  // namespace

Drawing draw_forecasts(const SeriesTable& history, const std::vector<QuantileForecast>& forecasts) {
  return draw_some(forecasts.size(), [&](std::size_t k) { return plot_of(history.series[k], forecasts[k]); });
}

Drawing draw_filled(const SeriesTable& table, const GapPlaces& places,
                    const std::vector<QuantileForecast>& filled) {
  return draw_some(filled.size(),
                   [&](std::size_t k) { return plot_of_gaps(table.series[k], places[k], filled[k]); });
}

}  // namespace diffusion
