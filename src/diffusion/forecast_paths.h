#pragma once

// What a model says of the values that come next in series.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <diffusion/recipe.h>
#include "device/device.h"
#include "diffusion/guided_estimate.h"
#include "diffusion/model.h"
#include "series/series.h"

namespace diffusion {

struct PathOptions {
  int paths = 100;  // of each series
  std::uint64_t seed = 0;
  std::optional<SamplingRecipe> recipe = {};  // none: forecast_recipe()
  int batch = 128;                            // paths that are evaluated together
};

// dpmpp_2m with 10 steps.
SamplingRecipe forecast_recipe(const Model& model);

// How paths of a model of series are sampled. Error(usage) for less than one path, or one of a batch.
PreparedRecipe prepare_paths(const Model& model, const PathOptions& options);

// Error(usage) unless the model forecasts series and can forecast these: each has a known value among the
// last context() ones, and as many values as that; a calendar needs dates, and `table` the step that they are
// in.
void check_forecast(const Model& model, const SeriesTable& table);

// Of each series paths of the values after its end, [paths, horizon]. Path p of series k of a seed is the
// same bytes whatever batch and however many series there are after it. `on_series` is told how many are
// done. Errors as check_forecast(), Error(non_finite) if the network returns NaN.
std::vector<std::vector<double>> forecast_paths(const Model& model, const Device& device,
                                                const SeriesTable& table, const PathOptions& options,
                                                const std::function<void(int)>& on_series = {});

}  // namespace diffusion
