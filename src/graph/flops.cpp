#include "graph/flops.h"

#include <variant>
#include <vector>

namespace diffusion {

namespace {

// Every output element is a sum over the weight's other extents.
double flops(const Conv2d& op, std::span<const Shape> in) {
  return 2 * double(op.infer(in).elements()) * double(in[1].c * in[1].pixels());
}

// Those of the convolution, without the savings.
double flops(const UpsampleConv2d& op, std::span<const Shape> in) {
  return 2 * double(op.infer(in).elements()) * double(in[1].c * in[1].pixels());
}

// Every input element goes to all output channels and kernel positions.
double flops(const ConvTranspose2d&, std::span<const Shape> in) {
  return 2 * double(in[0].elements()) * double(in[1].c * in[1].pixels());
}

double flops(const Linear&, std::span<const Shape> in) {
  return 2 * double(in[0].n) * double(in[1].n * in[1].c);
}

// Q^T K, then the weighted sum of V: twice pixels x pixels x channels.
double flops(const Attention&, std::span<const Shape> in) {
  return 4 * double(in[0].n) * double(in[0].pixels()) * double(in[0].pixels()) * double(in[0].c / 3);
}

double flops(const CrossAttention&, std::span<const Shape> in) {
  return 4 * double(in[0].n) * double(in[0].pixels()) * double(in[1].pixels()) * double(in[0].c);
}

// K V^T and C^T Q: twice pixels x channels x channels of a head.
double flops(const LinearAttention& op, std::span<const Shape> in) {
  const double channels = double(in[0].c / 3);
  return 4 * double(in[0].n) * double(in[0].pixels()) * channels * channels / op.heads;
}

template <class Other>
double flops(const Other&, std::span<const Shape>) {
  return 0;
}

}  // namespace

double forward_flops(const Op& op, std::span<const Shape> in) {
  return std::visit([&](const auto& o) { return flops(o, in); }, op);
}

double forward_flops(const Graph& graph, int node) {
  const Graph::Node& n = graph.nodes().at(std::size_t(node));
  if (n.source != Graph::Source::op) return 0;
  std::vector<Shape> in;
  for (int id : n.in) in.push_back(graph.nodes()[std::size_t(id)].shape);
  return forward_flops(n.op, in);
}

double forward_flops(const Graph& graph) {
  double sum = 0;
  for (int node = 0; node < int(graph.nodes().size()); ++node) sum += forward_flops(graph, node);
  return sum;
}

}  // namespace diffusion
