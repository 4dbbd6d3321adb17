#include "cli/output/forecast_plot.h"

#include <algorithm>
#include <cstdint>

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

}  // namespace

Drawing draw_forecasts(const SeriesTable& history, const std::vector<QuantileForecast>& forecasts) {
  const std::size_t count = forecasts.size(), shown = std::min<std::size_t>(count, kMostPlottedSeries);
  std::vector<Plot> plots;
  for (std::size_t k = 0; k < shown; ++k) {
    const std::size_t number = k * count / shown;
    plots.push_back(plot_of(history.series[number], forecasts[number]));
  }
  return draw_plots(plots, kWidth, kHeight);
}

}  // namespace diffusion
