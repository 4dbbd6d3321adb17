#pragma once

// What a model says of the values that are missing in series.

#include <cstdint>
#include <functional>
#include <vector>

#include "diffusion/forecast_paths.h"

namespace diffusion {

// Which values of each series are to be filled in: ascending places, whose values are NaN. The other gaps of
// a series stay what they are.
using GapPlaces = std::vector<std::vector<std::int64_t>>;

// Error(usage) unless the model fills gaps and can fill these. Each series of which a place is to be filled
// has as many values as the model sees at once, and two that differ; a calendar needs dates.
void check_impute(const Model& model, const SeriesTable& table, const GapPlaces& places);

// Of each series paths of the values at its places, [paths, places]. A window of the series is filled at
// once, where that is possible with a quarter of it or more on either side; of a gap that is longer than half
// a window, the parts are filled without regard to each other. Path p of series k of a seed is the same bytes
// whatever batch and whatever the other series are. `on_window` is told how many windows of how many are
// done. Errors as check_impute(), Error(usage) for a window in which nothing is known, Error(non_finite) if
// the network returns NaN.
std::vector<std::vector<double>> impute_paths(const Model& model, const Device& device,
                                              const SeriesTable& table, const GapPlaces& places,
                                              const PathOptions& options,
                                              const std::function<void(int, int)>& on_window = {});

}  // namespace diffusion
