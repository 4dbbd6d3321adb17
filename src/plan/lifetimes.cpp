#include "plan/lifetimes.h"

#include <algorithm>

namespace diffusion {

namespace {

using Source = Graph::Source;

// The last time at which each node's value is read. Inputs keep theirs for later runs.
std::vector<int> last_reads(const Graph& graph, Value output, const std::vector<bool>& live,
                            const std::vector<bool>& needs_grad) {
  const auto& nodes = graph.nodes();
  const RunClock clock(nodes.size());
  std::vector<int> last(nodes.size());
  const auto read = [&](std::size_t node, int time) { last[node] = std::max(last[node], time); };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    last[i] = nodes[i].source == Source::input ? RunClock::kForever : clock.forward(i);
    if (!live[i] || nodes[i].source != Source::op) continue;
    const BackwardReads reads = needs_grad[i] ? backward_reads(nodes[i].op) : BackwardReads{};
    for (int in : nodes[i].in) read(std::size_t(in), reads.inputs ? clock.backward(i) : clock.forward(i));
    if (reads.output) read(i, clock.backward(i));
  }
  read(std::size_t(output.id), clock.between());
  return last;
}

struct Span {
  int first = RunClock::kForever, last = 0;
};

// By node, for those that have a gradient block of their own: from the first write to the last read.
std::vector<Span> grad_spans(const Graph& graph, Value output, const std::vector<bool>& live,
                             const std::vector<bool>& needs_grad, const std::vector<int>& grad_block) {
  const auto& nodes = graph.nodes();
  const RunClock clock(nodes.size());
  std::vector<Span> spans(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!live[i] || nodes[i].source == Source::param || !needs_grad[i]) continue;
    for (int in : nodes[i].in)  // consumers write the gradients of what they read
      spans[std::size_t(in)].first = std::min(spans[std::size_t(in)].first, clock.backward(i));
    int& last = spans[std::size_t(grad_block[i])].last;
    last = std::max(last, nodes[i].source == Source::input ? RunClock::kForever : clock.backward(i));
  }
  spans[std::size_t(output.id)].first = clock.between();
  return spans;
}

}  // namespace

std::size_t PlanBlocks::bytes() const {
  std::size_t sum = 0;
  for (const Lifetime& block : blocks) sum += block.size;
  return sum;
}

// Values stand before gradients and those before kernels' memory: plan_offsets() breaks ties by this order.
PlanBlocks find_lifetimes(const Graph& graph, Value output, Mode mode, const std::vector<bool>& live,
                          const std::vector<bool>& needs_grad, const std::vector<int>& grad_block,
                          std::span<const NodeBytes> bytes) {
  const auto& nodes = graph.nodes();
  const std::size_t count = nodes.size();
  const RunClock clock(count);
  const std::vector<int> none(count, -1);
  PlanBlocks plan{{}, none, none, none, none, none};
  const auto add = [&](std::size_t size, int first, int last) {
    plan.blocks.push_back({size, first, last});
    return int(plan.blocks.size()) - 1;
  };

  const std::vector<int> last = last_reads(graph, output, live, needs_grad);
  for (std::size_t i = 0; i < count; ++i)
    if (live[i] && nodes[i].source != Source::param)
      plan.value[i] = add(bytes[i].tensor, nodes[i].source == Source::input ? -1 : clock.forward(i), last[i]);

  const std::vector<Span> spans = grad_spans(graph, output, live, needs_grad, grad_block);
  const auto has_grad = [&](std::size_t i) {
    return live[i] && needs_grad[i] && nodes[i].source != Source::param;
  };
  for (std::size_t i = 0; i < count; ++i)
    if (has_grad(i) && grad_block[i] == int(i))
      plan.grad[i] = add(bytes[i].tensor, spans[i].first, spans[i].last);
  for (std::size_t i = 0; i < count; ++i)
    if (has_grad(i)) plan.grad[i] = plan.grad[std::size_t(grad_block[i])];

  for (std::size_t i = 0; i < count; ++i) {
    if (!live[i] || nodes[i].source != Source::op) continue;
    const int forward = clock.forward(i), backward = clock.backward(i);
    if (mode == Mode::training && bytes[i].saved > 0)
      plan.saved[i] = add(bytes[i].saved, forward, needs_grad[i] ? backward : forward);
    if (bytes[i].workspace == 0) continue;
    plan.forward_workspace[i] = add(bytes[i].workspace, forward, forward);
    if (needs_grad[i]) plan.backward_workspace[i] = add(bytes[i].workspace, backward, backward);
  }
  return plan;
}

}  // namespace diffusion
