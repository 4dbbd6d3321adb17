#pragma once

#include "graph/graph.h"
#include "plan/plan.h"

namespace diffusion {

// Seconds that the convolutions of a network take alone: for each one the median time of the fastest
// implementation that we have (direct, Winograd, our own), timed by itself with its data in memory of its
// own. A median, as steps are measured by theirs. A step that takes no longer has reached the limit of its
// convolutions. Training: forward, and the gradients that the step needs.
double convolution_limit(const Graph& graph, const Device& device, const Device& direct, Mode mode);

}  // namespace diffusion
