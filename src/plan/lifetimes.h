#pragma once

// When each block of a plan's memory must hold its bytes. A pure function of the graph and of sizes.

#include <cstddef>
#include <span>
#include <vector>

#include "device/kernel.h"
#include "graph/graph.h"
#include "plan/arena_planner.h"

namespace diffusion {

// One clock for everything. Node i runs forward at time i. The backwards follow from the last node to the
// first; before the first backward of a block those of its nodes that are computed again run, in order.
class RunClock {
 public:
  // `recomputed` as find_recomputed() gives it.
  RunClock(const Graph& graph, const std::vector<bool>& recomputed);

  // What runs after the forwards, in order.
  struct Run {
    std::size_t node;
    bool backward;  // else it is computed again
  };
  const std::vector<Run>& runs() const { return runs_; }

  static int forward(std::size_t node) { return int(node); }
  int between() const { return int(backward_.size()); }  // all forwards are done, nothing else has begun
  bool recomputes(std::size_t node) const { return again_[node] >= 0; }
  int again(std::size_t node) const { return again_[node]; }  // of a node that is computed again
  int backward(std::size_t node) const { return backward_[node]; }
  static constexpr int kForever = 0x7ffffffe;

 private:
  std::vector<Run> runs_;
  std::vector<int> again_, backward_;
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
PlanBlocks find_lifetimes(const Graph& graph, Value output, Mode mode, const RunClock& clock,
                          const std::vector<bool>& live, const std::vector<bool>& needs_grad,
                          const std::vector<int>& grad_block, std::span<const NodeBytes> bytes);

}  // namespace diffusion
