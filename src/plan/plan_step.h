#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "device/kernel.h"

namespace diffusion {

// One kernel call of a run, as an observer sees it.
struct StepTiming {
  std::string_view kind, name, implementation;
  int node;  // of the graph
  bool backward;
  double seconds;
  double bytes;  // every tensor that the call must read or write, once
};

// An op of a plan with its kernel and all that this is called with.
struct PlanStep {
  std::string kind, name;
  int node = -1;
  BackwardReads reads;
  bool runs_backward = false;
  std::unique_ptr<Kernel> kernel;
  std::vector<Tensor> in, din;
  std::vector<GradMode> mode;
  std::vector<bool> is_param;  // of the inputs
  Tensor out, dout;
  std::byte *saved = nullptr, *forward_workspace = nullptr, *backward_workspace = nullptr;

  ForwardArgs forward_args(const RunContext* context) const;
  BackwardArgs backward_args(const RunContext* context) const;
  StepTiming timing(bool backward, double seconds) const;
};

}  // namespace diffusion
