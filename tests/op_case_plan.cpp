#include "op_case_plan.h"

#include <algorithm>
#include <string>

#include "base/rng.h"

namespace diffusion {

namespace {

constexpr RunContext kContext{.seed = 7, .step = 3, .first_sample = 65535};  // what dropout masks depend on

}  // namespace

CaseGraph::CaseGraph(const OpCase& op_case, int copies) {
  for (std::size_t i = 0; i < op_case.inputs.size(); ++i) {
    const auto& [kind, shape, needs_grad, scale, offset, rows] = op_case.inputs[i];
    const std::string name = "in" + std::to_string(i);
    if (kind == OpInput::Kind::parameter)
      in.push_back(graph.param(
          {.parts = {{name, {shape.n, shape.c, shape.h, shape.w}}}, .init = {}, .trainable = needs_grad},
          shape));
    else
      in.push_back(graph.input(name, shape));
  }
  out = graph.add(op_case.op, in, "op");
  for (int i = 1; i < copies; ++i)
    out = graph.add(Add{}, {out, graph.add(op_case.op, in, "copy" + std::to_string(i))}, "sum");
}

CasePlan::CasePlan(const OpCase& op_case, std::span<const std::vector<float>> values, const Device& device,
                   Mode mode, int copies)
    : case_graph_(op_case, copies),
      params_(ParamLayout(case_graph_.graph)),
      learned_(params_, device),
      plan_(case_graph_.graph, case_graph_.out, device, mode, learned_,
            {.poison = true, .input_grads = mode == Mode::training}) {
  for (std::size_t k = 0; k < values.size(); ++k) set(k, values[k]);
}

bool CasePlan::is_param(std::size_t input) const {
  return case_graph_.graph.node(case_graph_.in[input]).source == Graph::Source::param;
}

std::size_t CasePlan::size(std::size_t input) const {
  return std::size_t(case_graph_.graph.shape(case_graph_.in[input]).elements());
}

std::size_t CasePlan::param_offset(std::size_t input) const {
  return params_.layout().param_offset(case_graph_.graph.node(case_graph_.in[input]).param);
}

void CasePlan::set(std::size_t input, std::span<const float> values) {
  if (!is_param(input)) {
    plan_.write_input(case_graph_.in[input], values);
    return;
  }
  std::ranges::copy(values, params_.values().subspan(param_offset(input)).begin());
  params_.mark_changed();
  learned_.upload();
}

std::vector<double> CasePlan::forward() {
  plan_.forward(kContext);
  std::vector<double> out(std::size_t(output_shape().elements()));
  plan_.read_output(std::span(out));
  return out;
}

void CasePlan::backward(std::span<const float> output_grad) {
  plan_.backward(output_grad, kContext);
}

std::vector<double> CasePlan::grad(std::size_t input) const {
  if (is_param(input)) {
    std::vector<double> grads(size(input));
    learned_.queue().read(flat_part(learned_.grads(), param_offset(input), size(input)), grads);
    return grads;
  }
  std::vector<double> grads(size(input));
  plan_.read_input_grad(case_graph_.in[input], grads);
  return grads;
}

std::vector<float> make_output_grad(const Shape& shape) {
  std::vector<float> grad(std::size_t(shape.elements()));
  fill_normal({.seed = 99, .stream = Stream::init}, std::span(grad));
  for (float& g : grad) g = from_bf16(to_bf16(g));
  return grad;
}

}  // namespace diffusion
