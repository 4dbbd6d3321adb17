#include "plan/plan_step.h"

#include <span>

namespace diffusion {

ForwardArgs PlanStep::forward_args(const RunContext* context) const {
  return {in, out, saved, forward_workspace, context};
}

BackwardArgs PlanStep::backward_args(const RunContext* context) const {
  return {in, out, dout, din, mode, saved, backward_workspace, context};
}

StepTiming PlanStep::timing(bool backward, double seconds) const {
  const auto bytes_of = [](std::span<const Tensor> tensors) {
    double sum = 0;
    for (const Tensor& t : tensors) sum += double(t.desc.bytes());
    return sum;
  };
  double bytes = double(out.desc.bytes());
  if (!backward || reads.inputs) bytes += bytes_of(in);
  if (backward && reads.output) bytes += double(out.desc.bytes());
  for (std::size_t k = 0; backward && k < din.size(); ++k)
    if (mode[k] != GradMode::skip) bytes += double(din[k].desc.bytes());
  return {kind, name, kernel->implementation(), node, backward, seconds, bytes};
}

}  // namespace diffusion
