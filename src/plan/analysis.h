#pragma once

// What a plan must know of a graph before it compiles a kernel. Pure functions; vectors are by node.

#include <vector>

#include "device/kernel.h"
#include "graph/graph.h"

namespace diffusion {

// Which nodes the output depends on.
std::vector<bool> find_live(const Graph& graph, Value output);

// Which nodes a gradient must reach: the graph's inputs, its trainable parameters, or both, and whatever
// depends on them.
struct GradientsOf {
  bool inputs = false, params = false;
};
std::vector<bool> find_needs_grad(const Graph& graph, GradientsOf wanted);

// How the backward of each live op treats the gradients of its inputs; empty for other nodes. Gradients of
// parameters are always added. Of the others, the first written (backward visits nodes in reverse order)
// overwrites; nothing is written where both ends share one memory, `grad_block` as from share_gradients().
std::vector<std::vector<GradMode>> find_grad_modes(const Graph& graph, Value output,
                                                   const std::vector<bool>& live,
                                                   const std::vector<bool>& needs_grad,
                                                   const std::vector<int>& grad_block);

}  // namespace diffusion
