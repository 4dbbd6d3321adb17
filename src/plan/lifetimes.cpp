#include "plan/lifetimes.h"

#include <algorithm>

namespace diffusion {

namespace {

using Source = Graph::Source;

struct Span {
  int first = RunClock::kForever, last = 0;
};

// By node, until when its value is read: the one of the forward, and the one that is computed again. Inputs
// keep theirs for later runs.
struct LastReads {
  std::vector<int> forward, again;
};
LastReads last_reads(const Graph& graph, Value output, const RunClock& clock, const std::vector<bool>& live,
                     const std::vector<bool>& needs_grad) {
  const auto& nodes = graph.nodes();
  LastReads last{std::vector<int>(nodes.size()), std::vector<int>(nodes.size())};
  const auto read = [&](std::size_t node, int time) {
    std::vector<int>& reads = clock.recomputes(node) && time > clock.between() ? last.again : last.forward;
    reads[node] = std::max(reads[node], time);
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    last.forward[i] = nodes[i].source == Source::input ? RunClock::kForever : clock.forward(i);
    if (!live[i] || nodes[i].source != Source::op) continue;
    const BackwardReads reads = needs_grad[i] ? backward_reads(nodes[i].op) : BackwardReads{};
    for (int in : nodes[i].in) {
      read(std::size_t(in), clock.forward(i));
      if (clock.recomputes(i)) read(std::size_t(in), clock.again(i));
      if (reads.inputs) read(std::size_t(in), clock.backward(i));
    }
    if (reads.output) read(i, clock.backward(i));
  }
  read(std::size_t(output.id), clock.between());
  return last;
}

// By node, for those that have a gradient block of their own: from the first write to the last read.
std::vector<Span> grad_spans(const Graph& graph, Value output, const RunClock& clock,
                             const std::vector<bool>& live, const std::vector<bool>& needs_grad,
                             const std::vector<int>& grad_block) {
  const auto& nodes = graph.nodes();
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

RunClock::RunClock(const Graph& graph, const std::vector<bool>& recomputed)
    : again_(graph.nodes().size(), -1), backward_(graph.nodes().size()) {
  const auto& nodes = graph.nodes();
  const auto run = [&](std::size_t node, bool backward) {
    runs_.push_back({node, backward});
    (backward ? backward_ : again_)[node] = between() + int(runs_.size());
  };
  for (std::size_t i = nodes.size(); i-- > 0;) {
    const int block = nodes[i].block;
    if (block >= 0 && (i + 1 == nodes.size() || nodes[i + 1].block != block)) {
      std::size_t first = i;
      while (first > 0 && nodes[first - 1].block == block) --first;
      for (std::size_t k = first; k <= i; ++k)
        if (recomputed[k]) run(k, false);
    }
    run(i, true);
  }
}

std::size_t PlanBlocks::bytes() const {
  std::size_t sum = 0;
  for (const Lifetime& block : blocks) sum += block.size;
  return sum;
}

// Values stand before gradients and those before kernels' memory: plan_offsets() breaks ties by this order.
PlanBlocks find_lifetimes(const Graph& graph, Value output, Mode mode, const RunClock& clock,
                          const std::vector<bool>& live, const std::vector<bool>& needs_grad,
                          const std::vector<int>& grad_block, std::span<const NodeBytes> bytes) {
  const auto& nodes = graph.nodes();
  const std::size_t count = nodes.size();
  const std::vector<int> none(count, -1);
  PlanBlocks plan{{}, none, none, none, none, none};
  const auto add = [&](std::size_t size, int first, int last) {
    plan.blocks.push_back({size, first, last});
    return int(plan.blocks.size()) - 1;
  };
  const auto add_again = [&](int block, int first, int last) {
    plan.blocks[std::size_t(block)].again_first = first;
    plan.blocks[std::size_t(block)].again_last = last;
  };

  const LastReads last = last_reads(graph, output, clock, live, needs_grad);
  for (std::size_t i = 0; i < count; ++i) {
    if (!live[i] || nodes[i].source == Source::param) continue;
    const int first = nodes[i].source == Source::input ? -1 : clock.forward(i);
    plan.value[i] = add(bytes[i].tensor, first, last.forward[i]);
    if (clock.recomputes(i)) add_again(plan.value[i], clock.again(i), last.again[i]);
  }

  const std::vector<Span> spans = grad_spans(graph, output, clock, live, needs_grad, grad_block);
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
    const bool again = clock.recomputes(i);
    if (mode == Mode::training && bytes[i].saved > 0) {
      plan.saved[i] = add(bytes[i].saved, forward, needs_grad[i] && !again ? backward : forward);
      if (again) add_again(plan.saved[i], clock.again(i), needs_grad[i] ? backward : clock.again(i));
    }
    if (bytes[i].workspace == 0) continue;
    plan.forward_workspace[i] = add(bytes[i].workspace, forward, forward);
    if (again) add_again(plan.forward_workspace[i], clock.again(i), clock.again(i));
    if (needs_grad[i]) plan.backward_workspace[i] = add(bytes[i].workspace, backward, backward);
  }
  return plan;
}

}  // namespace diffusion
