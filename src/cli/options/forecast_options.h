#pragma once

// How `diffusion forecast` and `diffusion eval --series` forecast with a model.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "device/device.h"
#include "diffusion/forecast_paths.h"
#include "series/forecast.h"

namespace diffusion {

struct ForecastArguments {
  int paths = 100;
  std::string spread = "auto";
};

// Adds --paths and --spread.
void add_forecast_options(CLI::App& app, ForecastArguments& arguments, const char* group);

// The number of --spread; for auto the one that suits the last horizon of the history, which is forecast for
// that from what was before it: of at most 100 series, with at most 50 paths. 1 if no series is long enough.
double spread_for(const ForecastArguments& arguments, const Model& model, const Device& device,
                  const SeriesTable& history, const PathOptions& options, bool quiet);

// Paths with a progress line.
std::vector<std::vector<double>> paths_with_progress(const std::string& title, const Model& model,
                                                     const Device& device, const SeriesTable& history,
                                                     const PathOptions& options, bool quiet);

std::vector<QuantileForecast> quantiles_of(const std::vector<std::vector<double>>& paths, int horizon);

}  // namespace diffusion
