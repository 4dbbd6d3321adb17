#pragma once

// The options about series that commands share.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "data/series_sets.h"

namespace diffusion {

// As given on the command line.
struct SeriesArguments {
  std::string series;
  int horizon = 0, season = 0;
};

// Adds --series, --horizon and --season.
void add_series_options(CLI::App& app, SeriesArguments& arguments, const char* group);

// The series that are learned from, and what comes after them: of a published set its test values, else, and
// of other files if `split_off`, the last `horizon` values.
SeriesData load_series_for(const SeriesArguments& arguments, const DataOptions& options, int horizon,
                           bool split_off);

// --season, or a day where the data are hours. Error(usage) if nobody knows.
int season_of(const SeriesArguments& arguments, const SeriesTable& table);

// "414 series, 353500 values, 12 gaps".
std::string describe_series(const SeriesTable& table);

}  // namespace diffusion
