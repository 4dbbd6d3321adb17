#include "plan/gradient_sharing.h"

#include <algorithm>
#include <numeric>

namespace diffusion {

namespace {

// Two values may share a gradient block from the backward of `sum` on, if every later write through one of
// them comes after the last read through the other. Value v is last read when its producer runs backward;
// consumers j < sum write. In backward, an earlier node is a later time.
bool may_share(int v, int other, int sum, const std::vector<std::vector<int>>& consumers) {
  const auto writes_after_reads_of = [&](int writer, int reader) {
    return std::ranges::all_of(consumers[std::size_t(writer)], [&](int j) { return j >= sum || j < reader; });
  };
  return writes_after_reads_of(v, other) && writes_after_reads_of(other, v);
}

}  // namespace

std::vector<int> share_gradients(const Graph& graph, const std::vector<bool>& live,
                                 const std::vector<bool>& needs_grad, const std::vector<Format>& formats) {
  const auto& nodes = graph.nodes();
  std::vector<int> block(nodes.size());
  std::iota(block.begin(), block.end(), 0);

  std::vector<std::vector<int>> consumers(nodes.size());  // ascending
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (live[i])
      for (int in : nodes[i].in) consumers[std::size_t(in)].push_back(int(i));

  std::vector<std::vector<int>> members(nodes.size());
  for (int i = int(nodes.size()) - 1; i >= 0; --i) {
    const Graph::Node& node = nodes[std::size_t(i)];
    const auto* add = std::get_if<Add>(&node.op);
    if (node.source != Graph::Source::op || !live[std::size_t(i)] || !add || add->scale != 1) continue;
    if (node.in[0] == node.in[1]) continue;
    auto& group = members[std::size_t(block[std::size_t(i)])];
    for (int in : node.in) {
      const bool first_write = consumers[std::size_t(in)].back() == i;
      if (!first_write || !needs_grad[std::size_t(in)] || nodes[std::size_t(in)].source != Graph::Source::op)
        continue;
      if (!formats.empty() && !(formats[std::size_t(in)] == formats[std::size_t(i)])) continue;
      const bool safe = std::ranges::all_of(
          group, [&](int other) { return other >= i || may_share(in, other, i, consumers); });
      if (!safe) continue;
      block[std::size_t(in)] = block[std::size_t(i)];
      group.push_back(in);
    }
  }
  return block;
}

}  // namespace diffusion
