#pragma once

// What diffusion eval --series was asked for.

#include <cstdint>
#include <optional>
#include <string>

#include "cli/options/forecast_options.h"
#include "cli/options/options.h"
#include "cli/options/series_options.h"

namespace diffusion {

struct EvalSeriesArguments {
  SeriesArguments series;
  ForecastArguments forecast;
};

// What of the options of `diffusion eval` matters to series.
struct EvalSeriesRun {
  std::string model;  // empty: only the trivial forecasts
  DataOptions source;
  std::uint64_t seed;
  std::optional<int> steps;
  MachineOptions machine;
  bool json, quiet;
};

}  // namespace diffusion
