#include "plan/device_params.h"

namespace diffusion {

DeviceParams::DeviceParams(const ParamStore& host, const Device& device) : host_(&host) {
  const std::size_t size = host.layout().block_size();
  if (!device.queue()->uses_host_memory()) copy_ = device.allocate(size * sizeof(float));
  values_ = flat_block(copy_ ? static_cast<void*>(copy_->address())
                             : const_cast<float*>(host.values().data()),  // kernels do not write parameters
                       size);
}

void DeviceParams::refresh(Queue& queue) {
  if (!copy_ || copied_version_ == host_->version()) return;
  queue.write(values_, host_->values());
  copied_version_ = host_->version();
}

}  // namespace diffusion
