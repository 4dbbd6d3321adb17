#pragma once

#include <cstdint>
#include <memory>

#include "device/device.h"
#include "plan/param_store.h"

namespace diffusion {

// The constant weights of a store as a device's kernels read them: in place where the device uses the host's
// memory, else a flat f32 copy. Numbers that stay in files are in place for inference alone.
class DeviceParams {
 public:
  // `host` must outlive this.
  DeviceParams(const ParamStore& host, const Device& device, Mode mode);

  const ParamLayout& layout() const { return host_->layout(); }
  ParamNumbers numbers(int param) const;  // addresses of the device; only to be read
  std::uint64_t version() const { return host_->version(); }
  // Whether kernels may not keep copies of them.
  bool stay_in_files() const { return !copy_ && !host_->is_flat(); }

  // Brings a copy to the state of the host's weights.
  void refresh(Queue& queue);

 private:
  const ParamStore* host_;
  std::unique_ptr<DeviceMemory> copy_;  // none: in place
  std::uint64_t copied_version_ = 0;
};

}  // namespace diffusion
