#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "graph/ops.h"

namespace diffusion {

// A handle to a node's output.
struct Value {
  int id = -1;
};

// How a parameter starts.
struct Init {
  enum class Kind { zeros, ones, uniform, normal };
  Kind kind = Kind::zeros;
  double scale = 1;  // uniform: in [-scale, scale]; normal: standard deviation
};

// One named tensor of a checkpoint. `dims` is its shape in files.
struct ParamPart {
  std::string name;
  std::vector<std::int64_t> dims;
};

// A parameter of the graph: one tensor, or several of a checkpoint stacked along the first extent (to_q, to_k
// and to_v are one weight [3D, C, 1, 1] to the engine).
struct Param {
  std::vector<ParamPart> parts;
  Init init;
  bool trainable = true;
};

// The network as a list of nodes in execution order. Holds shapes and names; no memory, no device.
class Graph {
 public:
  enum class Source { input, param, op };
  struct Node {
    Source source;
    Shape shape;
    std::string name;     // of the input or op; empty for a param
    Op op;                // if source == op
    std::vector<int> in;  // if source == op: ids of earlier nodes
    int param = -1;       // if source == param: index into params()
    int block = -1;       // which block() it is part of; -1: none
  };

  // While it lives, what is added to the graph is one block: a part of the network, such as a residual block,
  // of which a training that saves memory keeps only what goes in and comes out. Within a block there are no
  // further ones: one that begins there is part of it.
  class Block {
   public:
    ~Block();
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

   private:
    friend Graph;
    explicit Block(Graph& graph);
    Graph* graph_;  // none: part of another block
  };
  [[nodiscard]] Block block() { return Block(*this); }

  Value input(std::string name, Shape shape);
  Value param(Param param, Shape shape);
  // Throws Error(usage) that names the node and the shapes, if the op cannot take them.
  Value add(Op op, std::span<const Value> in, std::string name);
  Value add(Op op, std::initializer_list<Value> in, std::string name) {
    return add(std::move(op), std::span(in.begin(), in.size()), std::move(name));
  }

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Param>& params() const { return params_; }
  const Node& node(Value value) const { return nodes_.at(std::size_t(value.id)); }
  const Shape& shape(Value value) const { return node(value).shape; }

 private:
  Value push(Node node);

  std::vector<Node> nodes_;
  std::vector<Param> params_;
  int blocks_ = 0;
  bool in_block_ = false;
};

}  // namespace diffusion
