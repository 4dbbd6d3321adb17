#pragma once

#include <vector>

#include "graph/graph.h"

namespace diffusion {

// The backward of a plain sum hands its gradient on unchanged. Where that is safe, the addends' gradients
// live in the same memory as the sum's and nothing is copied.
//
// Returns, per node, the node whose gradient block it uses (itself if it has its own). `live`, `needs_grad`
// and `formats` are by node; gradients share only in one format, no `formats`: all have the same. Backward
// visits nodes in reverse order.
std::vector<int> share_gradients(const Graph& graph, const std::vector<bool>& live,
                                 const std::vector<bool>& needs_grad,
                                 const std::vector<Format>& formats = {});

}  // namespace diffusion
