#pragma once

#include <span>
#include <vector>

#include "op_cases.h"
#include "plan/plan.h"

namespace diffusion {

// The graph of an op case: its inputs, and the sum of `copies` ops that all read them. Two copies make every
// gradient be written once and then accumulated into.
struct CaseGraph {
  Graph graph;
  std::vector<Value> in;
  Value out;

  CaseGraph(const OpCase& op_case, int copies);
};

// An op case on a device, with its own parameters, gradients of all its inputs, and the planner's poison on.
class CasePlan {
 public:
  // `values` are those of each input.
  CasePlan(const OpCase& op_case, std::span<const std::vector<float>> values, const Device& device, Mode mode,
           int copies = 1);
  CasePlan(const CasePlan&) = delete;  // the plan points into the parameters
  CasePlan& operator=(const CasePlan&) = delete;

  const Shape& output_shape() const { return case_graph_.graph.shape(case_graph_.out); }

  void set(std::size_t input, std::span<const float> values);
  std::vector<double> forward();
  void backward(std::span<const float> output_grad);
  // Of an input or a parameter; valid from backward() to the next forward().
  std::vector<double> grad(std::size_t input) const;

 private:
  bool is_param(std::size_t input) const;
  std::size_t size(std::size_t input) const;
  std::size_t param_offset(std::size_t input) const;

  CaseGraph case_graph_;
  ParamStore params_;
  LearnedParams learned_;
  Plan plan_;
};

// A random gradient of the output, exact in bf16.
std::vector<float> make_output_grad(const Shape& shape);

}  // namespace diffusion
