#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "device/device.h"

namespace diffusion {

// What an op is given.
struct TimedInput {
  Shape shape;
  bool is_param = false;
  bool needs_grad = true;
  std::vector<float> values = {};  // plain NCHW; empty: small random numbers
};

// One op compiled for training, with memory of its own. Every call waits for its end.
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
  void run_backward(std::span<const GradMode> mode);

  std::shared_ptr<Queue> queue_;
  std::vector<std::unique_ptr<DeviceMemory>> memory_;
  std::vector<Tensor> in_, din_;
  std::vector<GradMode> mode_;
  Tensor out_, dout_;
  bool reads_inputs_;
  std::unique_ptr<Kernel> kernel_;
  std::byte *saved_, *workspace_;
  RunContext* context_;  // on the device
};

struct Timing {
  double best, median;  // seconds
};

// Times of at least five calls and about `seconds` altogether, after one that warms up.
Timing time_calls(const std::function<void()>& call, double seconds = 0.3);

}  // namespace diffusion
