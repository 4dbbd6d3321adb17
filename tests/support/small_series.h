#pragma once

// A small model of series with random weights, and series, for tests; implemented in small_series_test.cpp.

#include "diffusion/model.h"
#include "series/series.h"
#include "series/series_form.h"

namespace diffusion::fixtures {

Model small_series_model(const SeriesForm& form);

// Value i of series k: a wave with a period of 4, about 100 (k + 1).
double wave(int k, int i);
// Called w0, w1, ...
SeriesTable waves(int count, int length);

}  // namespace diffusion::fixtures
