#pragma once

#include "cli/commands/eval_features.h"
#include "cli/commands/eval_sets.h"
#include "cli/output/eval_report.h"

namespace diffusion {

// All scores that the options ask for. Writes the picture of --neighbors.
EvalReport measure(const EvalOptions& o, EvalNetwork& net, const Samples& samples, const RealSets& sets);

}  // namespace diffusion
