#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "device/device.h"
#include "graph/graph.h"
#include "plan/param_store.h"

namespace diffusion {

struct PlanOptions {
  // Fill a block with NaN when its life ends, so that a planner mistake is loud. Debug builds do it by default.
  bool poison = false;
};

// A graph made runnable on a device: kernels compiled and every tensor's address fixed, once. Then forward() and
// backward() are two plain loops that allocate nothing. One plan serves one thread at a time.
class Plan {
 public:
  // `graph`, `device` and `params` must outlive the plan. `output` is the value that read_output() returns.
  Plan(const Graph& graph, Value output, const Device& device, Mode mode, ParamStore& params);
  Plan(const Graph& graph, Value output, const Device& device, Mode mode, ParamStore& params,
       const PlanOptions& options);

  // Plain NCHW numbers, shape as in the graph.
  void write_input(Value input, std::span<const float> values);
  void read_output(std::span<float> values) const;
  void read_output(std::span<double> values) const;

  void forward(const RunContext& context = {});

  // Gradients of a loss, given its gradient with respect to the output (training mode, after a forward()).
  // Parameter gradients are added to ParamStore::grads(). Inputs made with want_input_grad get theirs.
  void backward(std::span<const float> output_grad, const RunContext& context = {});
  void read_input_grad(Value input, std::span<double> values) const;

  std::size_t arena_bytes() const { return arena_.size(); }
  std::size_t unshared_bytes() const { return unshared_bytes_; }  // what the arena would be without sharing

 private:
  struct Block;
  struct Step;
  // (see plan.cpp)
};

}  // namespace diffusion
