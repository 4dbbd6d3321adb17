#pragma once

#include "cli/eval_features.h"
#include "cli/eval_report.h"
#include "cli/eval_sets.h"

namespace diffusion {

// All scores that the options ask for. Writes the picture of --neighbors.
EvalReport measure(const EvalOptions& o, EvalNetwork& net, const Samples& samples, const RealSets& sets);

}  // namespace diffusion
