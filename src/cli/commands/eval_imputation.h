#pragma once

// diffusion eval --series with a model that fills gaps.

#include "cli/commands/eval_series_run.h"
#include "diffusion/model.h"

namespace diffusion {

// Hides values, has them filled in, and prints scores with those of trivial methods beside them.
int eval_imputation(const Model& model, const EvalSeriesArguments& arguments, const EvalSeriesRun& run);

}  // namespace diffusion
