#pragma once

// How well gaps are filled: values that are known are hidden, and compared with what fills them.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "diffusion/impute_paths.h"
#include "eval/forecast_evaluation.h"
#include "series/hidden_values.h"

namespace diffusion {

// What is hidden: a share of the values, as points, or in blocks of one season.
struct HidingTask {
  Hiding hiding;
  double share;
};
// 10%, 50% and 90% as points, then in blocks.
std::vector<HidingTask> hiding_tasks();

// The end of series, with values hidden.
struct HiddenSeries {
  SeriesTable whole, shown;
  GapPlaces places;  // hidden ones among the last `horizon` values, which are scored; never empty
  int left_out =
      0;  // series of which too little is known, that are constant where they are, or without places
};

// Of each series the last `horizon` values and half of what `form` sees at once before them, and at least as
// many as that; values are hidden everywhere, and those of the horizon scored, which training never saw.
HiddenSeries hide_values(const SeriesTable& table, const SeriesForm& form, const HidingTask& task,
                         std::uint64_t seed);

// Scores of what fills the places, `own` [paths, places] of each series, named "model", if there is any; then
// of the baselines (impute_baselines.h) with the quantiles of their errors for values of the same series that
// are known and are hidden likewise. "Naive" is the first baseline, the line. Error(usage) if there is no
// series.
std::vector<ForecastRow> evaluate_imputation(const HiddenSeries& hidden, const HidingTask& task, int season,
                                             const std::vector<std::vector<double>>& own, std::uint64_t seed);

}  // namespace diffusion
