#pragma once

// diffusion train --series.

#include <CLI/CLI.hpp>
#include <string>

#include "cli/options/series_options.h"
#include "cli/options/training_run.h"

namespace diffusion {

struct TrainSeriesArguments {
  SeriesArguments series;
  std::string task = "forecast";
  int context = 0;
};

// Adds --series, --task, --horizon, --season and --context.
void add_train_series_options(CLI::App& app, TrainSeriesArguments& arguments);

// Trains a model of series. Error(usage) for options that are for images.
int train_series(const CLI::App& app, RunOptions& run, const TrainSeriesArguments& arguments,
                 const std::string& preset);

}  // namespace diffusion
