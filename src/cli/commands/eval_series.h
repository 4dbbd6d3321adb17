#pragma once

// diffusion eval --series.

#include <CLI/CLI.hpp>

#include "cli/commands/eval_series_run.h"

namespace diffusion {

// Adds --series, --horizon, --season, --paths and --spread.
void add_eval_series_options(CLI::App& app, EvalSeriesArguments& arguments);

// Forecasts the test values, and prints scores with those of trivial forecasts beside them.
int eval_series(const CLI::App& app, const EvalSeriesArguments& arguments, const EvalSeriesRun& run);

}  // namespace diffusion
