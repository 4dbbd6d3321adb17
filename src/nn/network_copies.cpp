#include "nn/network_copies.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace diffusion {

namespace {

constexpr Value kNobody{-1};

// A copy of `net`, in which `stands_in` may give another value for a node, made of the copies of what the
// node reads; kNobody if nothing that stays reads it.
using StandIn = std::function<std::optional<Value>(Graph& copy, int node, std::span<const Value> in)>;
Network copied(const Network& net, const StandIn& stands_in) {
  Network result;
  Graph& g = result.graph;
  std::vector<Value> values;  // by node of `net`
  const auto& nodes = net.graph.nodes();
  const auto copy_next = [&] {
    const Graph::Node& node = nodes[values.size()];
    std::vector<Value> in;
    for (const int id : node.in) in.push_back(values[std::size_t(id)]);
    if (const auto other = stands_in(g, int(values.size()), in))
      values.push_back(*other);
    else if (node.source == Graph::Source::input)
      values.push_back(g.input(node.name, node.shape));
    else if (node.source == Graph::Source::param)
      values.push_back(g.param(net.graph.params()[std::size_t(node.param)], node.shape));
    else
      values.push_back(g.add(node.op, in, node.name));
  };
  while (values.size() < nodes.size()) {
    const int block = nodes[values.size()].block;
    if (block < 0) {
      copy_next();
      continue;
    }
    const auto whole = g.block();
    while (values.size() < nodes.size() && nodes[values.size()].block == block) copy_next();
  }
  const auto at = [&](Value value) { return values[std::size_t(value.id)]; };
  result.sample = at(net.sample);
  result.timestep = at(net.timestep);
  for (const Network::Condition& condition : net.conditions)
    if (const Value value = at(condition.value); value.id != kNobody.id)
      result.conditions.push_back({condition.traits, value});
  if (net.hidden_states) result.hidden_states = at(*net.hidden_states);
  result.output = at(net.output);
  return result;
}

Value fixed_param(const Network& net, const Graph::Node& node, Graph& copy) {
  Param param = net.graph.params()[std::size_t(node.param)];
  param.trainable = false;
  return copy.param(std::move(param), node.shape);
}

}  // namespace

Network frozen(const Network& net) {
  return copied(net, [&](Graph& copy, int id, std::span<const Value> in) -> std::optional<Value> {
    const Graph::Node& node = net.graph.nodes()[std::size_t(id)];
    if (node.source == Graph::Source::param) return fixed_param(net, node, copy);
    if (std::holds_alternative<Dropout>(node.op)) return in.front();
    return std::nullopt;
  });
}

Network with_fixed_text_encoder(const Network& net) {
  return copied(net, [&](Graph& copy, int id, std::span<const Value>) -> std::optional<Value> {
    const Graph::Node& node = net.graph.nodes()[std::size_t(id)];
    if (id < net.hidden_states->id && node.source == Graph::Source::param)
      return fixed_param(net, node, copy);
    return std::nullopt;
  });
}

Network without_text_encoder(const Network& net) {
  if (!net.hidden_states) return net;
  const int last = net.hidden_states->id;  // the ops up to it are the encoder's, see make()
  const int tokens = net.condition(kTokensCondition)->value.id;
  Network result = copied(net, [&](Graph& copy, int id, std::span<const Value>) -> std::optional<Value> {
    const Graph::Node& node = net.graph.nodes()[std::size_t(id)];
    if (id == last) return copy.input(std::string(kHiddenStatesCondition), node.shape);
    if (id == tokens || (id < last && node.source == Graph::Source::op)) return kNobody;
    return std::nullopt;
  });
  const Shape& states = result.graph.shape(*result.hidden_states);
  result.conditions.push_back(
      {{kHiddenStatesCondition, ConditionTraits::Kind::vector, int(states.c * states.pixels())},
       *result.hidden_states});
  result.hidden_states.reset();
  return result;
}

}  // namespace diffusion
