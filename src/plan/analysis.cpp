#include "plan/analysis.h"

#include <cstddef>

namespace diffusion {

using Source = Graph::Source;

std::vector<bool> find_live(const Graph& graph, Value output) {
  std::vector<bool> live(graph.nodes().size(), false);
  live[std::size_t(output.id)] = true;
  for (int i = output.id; i >= 0; --i)
    if (live[std::size_t(i)])
      for (int in : graph.nodes()[std::size_t(i)].in) live[std::size_t(in)] = true;
  return live;
}

std::vector<bool> find_needs_grad(const Graph& graph, GradientsOf wanted) {
  std::vector<bool> needs(graph.nodes().size(), false);
  for (std::size_t i = 0; i < needs.size(); ++i) {
    const Graph::Node& node = graph.nodes()[i];
    if (node.source == Source::input) needs[i] = wanted.inputs;
    if (node.source == Source::param)
      needs[i] = wanted.params && graph.params()[std::size_t(node.param)].trainable;
    for (int in : node.in) needs[i] = needs[i] || needs[std::size_t(in)];
  }
  return needs;
}

std::vector<std::vector<GradMode>> find_grad_modes(const Graph& graph, Value output,
                                                   const std::vector<bool>& live,
                                                   const std::vector<bool>& needs_grad,
                                                   const std::vector<int>& grad_block) {
  const auto& nodes = graph.nodes();
  std::vector<std::vector<GradMode>> modes(nodes.size());
  std::vector<bool> written(nodes.size(), false);
  written[std::size_t(output.id)] = true;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (nodes[i].source != Source::op || !live[i]) continue;
    for (int input : nodes[i].in) {
      const auto in = std::size_t(input);
      const bool shared = nodes[in].source == Source::op && !written[in] && grad_block[in] != input &&
                          grad_block[in] == grad_block[i];
      const bool accumulates = nodes[in].source == Source::param || written[in];
      modes[i].push_back(!needs_grad[in] || shared ? GradMode::skip
                         : accumulates             ? GradMode::accumulate
                                                   : GradMode::overwrite);
      if (needs_grad[in]) written[in] = true;
    }
  }
  return modes;
}

}  // namespace diffusion
