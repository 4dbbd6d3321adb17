#pragma once

#include <cstdint>
#include <memory>

#include "device/device.h"
#include "plan/param_store.h"

namespace diffusion {

// Weights that are being learned, and their gradients, in the memory of the device that learns them. Where
// the device uses the host's memory, the weights are those of the store and nothing is copied.
class LearnedParams {
 public:
  // Starts with the values of `host`, which must outlive this.
  LearnedParams(ParamStore& host, const Device& device);

  // The values of `of`, which must outlive this, with gradients of its own in place of `of`'s: for a thread
  // that computes its share of a batch.
  LearnedParams(const LearnedParams& of, const Device& device);

  const ParamLayout& layout() const { return host_->layout(); }
  Queue& queue() const { return *queue_; }

  // Flat blocks of the device in the layout of the parameters.
  const Tensor& values() const { return values_; }
  const Tensor& grads() const { return grads_; }

  // From now on plans add gradients to this block of the device, of the size of grads(), which must outlive
  // their use.
  void add_grads_to(const Tensor& block) { grads_ = block; }

  void zero_grads();

  // Whoever changes the values on the device says so; plans then repack their weights before the next
  // forward.
  void mark_changed();
  std::uint64_t version() const;

  void upload();    // after the host's values were changed
  void download();  // to the host's values; waits

 private:
  ParamStore* host_;
  const LearnedParams* of_ = nullptr;  // whose values these are; none: its own
  std::shared_ptr<Queue> queue_;
  std::unique_ptr<DeviceMemory> copy_, grad_memory_;  // no copy: the host's values are used
  Tensor values_, grads_;
  std::uint64_t version_ = 1;  // of the copy
};

}  // namespace diffusion
