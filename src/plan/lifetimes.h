#pragma once

// When each block of a plan's memory must hold its bytes. A pure function of the graph and of sizes.

#include <cstddef>
#include <span>
#include <vector>

#include "device/kernel.h"
#include "graph/graph.h"
#include "plan/arena_planner.h"

namespace diffusion {

// One clock for everything: node i runs forward at time i and backward at time 2 nodes - i.
class RunClock {
 public:
  explicit RunClock(std::size_t nodes) : nodes_(int(nodes)) {}
  int forward(std::size_t node) const { return int(node); }
  int between() const { return nodes_; }  // all forwards are done, no backward has begun
  int backward(std::size_t node) const { return 2 * nodes_ - int(node); }
  static constexpr int kForever = 0x7ffffffe;

 private:
  int nodes_;
};

// Bytes of a node that is no parameter; those of the kernel only if it is an op.
struct NodeBytes {
  std::size_t tensor = 0;  // of its value, and of its gradient
  std::size_t saved = 0, workspace = 0;
};

// Blocks without offsets, and by node which of them is its value, its gradient (several nodes may share one),
// and its kernel's memory: an index, or -1 if there is none.
struct PlanBlocks {
  std::vector<Lifetime> blocks;
  std::vector<int> value, grad, saved, forward_workspace, backward_workspace;

  std::size_t bytes() const;  // of all blocks, without sharing
};

// Vectors are by node, as in plan/analysis.h; `needs_grad` is all false in inference.
PlanBlocks find_lifetimes(const Graph& graph, Value output, Mode mode, const std::vector<bool>& live,
                          const std::vector<bool>& needs_grad, const std::vector<int>& grad_block,
                          std::span<const NodeBytes> bytes);

}  // namespace diffusion
