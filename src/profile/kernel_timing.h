#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "device/device.h"

namespace diffusion {

// What an op is given.
struct TimedInput {
  Shape shape;
  bool is_param = false;
  bool needs_grad = true;
  std::vector<float> values = {};  // plain NCHW; empty: small random numbers
};

// One op compiled for training, with memory of its own.
class TimedKernel {
 public:
  TimedKernel(const Op& op, std::span<const TimedInput> inputs, const Device& device);

  void forward();
  void backward();
  // A backward of these inputs only, in the order of the constructor's; those that need no gradient have
  // none.
  void backward_of(const std::vector<bool>& inputs);

  std::string_view implementation() const { return kernel_->implementation(); }
  // Every tensor read or written once.
  double forward_bytes() const;
  double backward_bytes() const;

 private:
  Tensor allocate(const TensorDesc& desc) { return {desc, memory_.emplace_back(desc.bytes()).data()}; }

  std::vector<Buffer<std::byte>> memory_;
  std::vector<Tensor> in_, din_;
  std::vector<GradMode> mode_;
  Tensor out_, dout_;
  bool reads_inputs_;
  std::unique_ptr<Kernel> kernel_;
  Buffer<std::byte> saved_, workspace_;
  RunContext context_{.seed = 1, .step = 1};
};

struct Timing {
  double best, median;  // seconds
};

// Times of at least five calls and about `seconds` altogether, after one that warms up.
Timing time_calls(const std::function<void()>& call, double seconds = 0.3);

}  // namespace diffusion
