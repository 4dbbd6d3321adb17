#include "graph/graph.h"

#include <fmt/format.h>

#include <diffusion/error.h>

namespace diffusion {

Graph::Block::Block(Graph& graph) : graph_(graph.in_block_ ? nullptr : &graph) {
  if (!graph_) return;
  graph.in_block_ = true;
  ++graph.blocks_;
}

Graph::Block::~Block() {
  if (graph_) graph_->in_block_ = false;
}

Value Graph::push(Node node) {
  if (in_block_) node.block = blocks_ - 1;
  nodes_.push_back(std::move(node));
  return {int(nodes_.size()) - 1};
}

Value Graph::input(std::string name, Shape shape) {
  return push({Source::input, shape, std::move(name), {}, {}, -1});
}

Value Graph::param(Param param, Shape shape) {
  std::int64_t elements = 0;
  for (const ParamPart& part : param.parts) {
    std::int64_t product = 1;
    for (std::int64_t d : part.dims) product *= d;
    elements += product;
  }
  if (elements != shape.elements())
    throw Error(ErrorKind::internal, fmt::format("parameter {}: {} elements in its parts, shape {}",
                                                 param.parts.front().name, elements, to_string(shape)));
  params_.push_back(std::move(param));
  return push({Source::param, shape, {}, {}, {}, int(params_.size()) - 1});
}

Value Graph::add(Op op, std::span<const Value> in, std::string name) {
  Node node{Source::op, {}, std::move(name), std::move(op), {}, -1};
  std::vector<Shape> shapes;
  for (Value v : in) {
    node.in.push_back(v.id);
    shapes.push_back(shape(v));
  }
  try {
    node.shape = infer(node.op, shapes);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("node {}: {}", node.name, e.what()));
  }
  return push(std::move(node));
}

}  // namespace diffusion
