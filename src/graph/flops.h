#pragma once

#include <span>

#include "graph/graph.h"

namespace diffusion {

// Multiplications and additions of one forward evaluation as the definition of the op has them, whatever
// algorithm a device uses: convolutions, linear maps and attention; 0 for everything whose cost is memory
// traffic. A backward with the gradients of all inputs has twice as many.
double forward_flops(const Op& op, std::span<const Shape> in);

double forward_flops(const Graph& graph, int node);  // of one node; 0 for inputs and parameters
double forward_flops(const Graph& graph);            // of all nodes

}  // namespace diffusion
