#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "graph/ops.h"

namespace diffusion {

enum class Mode { inference, training };

// Whether a gradient is not wanted, the first written to its tensor, or joins one already there.
enum class GradMode : std::uint8_t { skip, overwrite, accumulate };

// What the kernels of one run may depend on besides their tensors. It lies on the device and is uploaded for
// each run, because a recorded run cannot be given other arguments when it is replayed.
struct RunContext {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  // Number of the run's first sample in the batch of the step, which may be computed in several runs.
  std::uint32_t first_sample = 0;
};

// Addresses are those of the device's memory and do not change between calls of one plan. `saved` lives from
// a forward to its backward (training only); `workspace` is scratch within one call. Both are 64-byte aligned
// and uninitialized.
struct ForwardArgs {
  std::span<const Tensor> in;  // parameters as KernelSpec says
  Tensor out;
  std::byte* saved = nullptr;
  std::byte* workspace = nullptr;
  const RunContext* context = nullptr;
};

struct BackwardArgs {
  std::span<const Tensor> in;  // valid only if the op's backward_reads says inputs; parameters always are
  Tensor out;                  // valid only if it says output
  Tensor dout;
  std::span<const Tensor> din;  // one per input
  std::span<const GradMode> mode;
  std::byte* saved = nullptr;
  std::byte* workspace = nullptr;
  const RunContext* context = nullptr;
};

// One op of one plan, ready to run. Forward and backward of an op stand next to each other.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual std::size_t saved_bytes() const { return 0; }
  virtual std::size_t workspace_bytes() const { return 0; }
  // Called before the first run and again whenever parameters changed: the place to repack weights.
  virtual void load_params(std::span<const Tensor> /*in*/) {}
  virtual void forward(const ForwardArgs& args) = 0;
  virtual void backward(const BackwardArgs& args) = 0;
  // The implementation's name, for profiles ("jit:avx512_core", "reference").
  virtual std::string_view implementation() const = 0;
};

// What a kernel is compiled for. Inputs that are parameters are plain, and f32 unless they stay in files.
struct KernelSpec {
  Op op;
  std::span<const TensorDesc> in;
  TensorDesc out;
  Mode mode = Mode::inference;
  std::span<const bool> needs_grad;  // one per input; training only
  // Inference only: parameters are too many to be copied. Matrices and convolution kernels are f32, bf16 or
  // f16, as files have them, and are packed in the workspace, if at all, anew in each run.
  bool weights_stay_in_files = false;
};

}  // namespace diffusion
