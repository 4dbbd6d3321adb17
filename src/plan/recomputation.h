#pragma once

#include <vector>

#include "graph/graph.h"

namespace diffusion {

// Which ops run a second time where a training keeps only what goes into and out of a network's blocks (Chen
// et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174): those inside of a block
// whose result its backward reads, or that others of these read. By node; so are `live` and `needs_grad`, see
// plan/analysis.h. What a block hands on to others is kept.
std::vector<bool> find_recomputed(const Graph& graph, Value output, const std::vector<bool>& live,
                                  const std::vector<bool>& needs_grad);

}  // namespace diffusion
