#include "plan/recomputation.h"

#include <cstddef>

namespace diffusion {

std::vector<bool> find_recomputed(const Graph& graph, Value output, const std::vector<bool>& live,
                                  const std::vector<bool>& needs_grad) {
  const auto& nodes = graph.nodes();
  std::vector<bool> inside(nodes.size()), recomputed(nodes.size(), false), read_again(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    inside[i] = live[i] && nodes[i].source == Graph::Source::op && nodes[i].block >= 0 && int(i) != output.id;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const int in : nodes[i].in)
      if (live[i] && nodes[std::size_t(in)].block != nodes[i].block) inside[std::size_t(in)] = false;

  // Readers come before what they read.
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (!live[i] || nodes[i].source != Graph::Source::op) continue;
    const BackwardReads reads = needs_grad[i] ? backward_reads(nodes[i].op) : BackwardReads{};
    recomputed[i] = inside[i] && (read_again[i] || reads.output);
    if (recomputed[i] || reads.inputs)
      for (const int in : nodes[i].in) read_again[std::size_t(in)] = true;
  }
  return recomputed;
}

}  // namespace diffusion
