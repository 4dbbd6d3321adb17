#pragma once

// diffusion eval --series.

#include <CLI/CLI.hpp>
#include <string>

#include "cli/options/forecast_options.h"
#include "cli/options/options.h"
#include "cli/options/series_options.h"

namespace diffusion {

struct EvalSeriesArguments {
  SeriesArguments series;
  ForecastArguments forecast;
};

// Adds --series, --horizon, --season, --paths and --spread.
void add_eval_series_options(CLI::App& app, EvalSeriesArguments& arguments);

// What of the options of `diffusion eval` matters to series.
struct EvalSeriesRun {
  std::string model;  // empty: only the trivial forecasts
  DataOptions source;
  std::uint64_t seed;
  std::optional<int> steps;
  MachineOptions machine;
  bool json, quiet;
};

// Forecasts the test values, and prints scores with those of trivial forecasts beside them.
int eval_series(const CLI::App& app, const EvalSeriesArguments& arguments, const EvalSeriesRun& run);

}  // namespace diffusion
