#pragma once

#include <vector>

#include "diffusion/impute_paths.h"
#include "drawing/drawing.h"
#include "series/forecast.h"
#include "series/series.h"

namespace diffusion {

inline constexpr int kMostPlottedSeries = 4;

// The end of each series and its forecast: the median in bands of 50% and 90%. Of more than
// kMostPlottedSeries some, evenly from all.
Drawing draw_forecasts(const SeriesTable& history, const std::vector<QuantileForecast>& forecasts);

// The values of each series around the gap in the middle of its gaps, and those that fill them. Each has a
// place that is filled.
Drawing draw_filled(const SeriesTable& table, const GapPlaces& places,
                    const std::vector<QuantileForecast>& filled);

}  // namespace diffusion
