#pragma once

#include <vector>

#include "drawing/drawing.h"
#include "series/forecast.h"
#include "series/series.h"

namespace diffusion {

inline constexpr int kMostPlottedSeries = 4;

// The end of each series and its forecast: the median in bands of 50% and 90%. Of more than
// kMostPlottedSeries some, evenly from all.
Drawing draw_forecasts(const SeriesTable& history, const std::vector<QuantileForecast>& forecasts);

}  // namespace diffusion
