#pragma once

#include <cstdint>
#include <memory>

#include "device/device.h"
#include "plan/param_store.h"

namespace diffusion {

// The constant weights of a store as a device's kernels read them: in place where the device uses the host's
// memory, else a copy.
class DeviceParams {
 public:
  // `host` must outlive this.
  DeviceParams(const ParamStore& host, const Device& device);

  const ParamLayout& layout() const { return host_->layout(); }
  const Tensor& values() const { return values_; }  // a flat block; only to be read
  std::uint64_t version() const { return host_->version(); }

  // Brings a copy to the state of the host's weights.
  void refresh(Queue& queue);

 private:
  const ParamStore* host_;
  std::unique_ptr<DeviceMemory> copy_;  // none: in place
  Tensor values_;
  std::uint64_t copied_version_ = 0;
};

}  // namespace diffusion
