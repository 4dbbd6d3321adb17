#include "plan/device_params.h"

#include <vector>

namespace diffusion {

DeviceParams::DeviceParams(const ParamStore& host, const Device& device, Mode mode) : host_(&host) {
  const bool in_place = device.queue()->uses_host_memory() && (host.is_flat() || mode == Mode::inference);
  if (!in_place) copy_ = device.allocate(host.layout().block_size() * sizeof(float));
}

ParamNumbers DeviceParams::numbers(int param) const {
  if (!copy_) return host_->numbers(param);
  return {DType::f32, copy_->address() + host_->layout().param_offset(param) * sizeof(float)};
}

void DeviceParams::refresh(Queue& queue) {
  if (!copy_ || copied_version_ == host_->version()) return;
  const Tensor whole = flat_block(copy_->address(), host_->layout().block_size());
  if (host_->is_flat()) {
    queue.write(whole, host_->values());
  } else {
    std::vector<float> numbers;
    for (int i = 0; i < int(layout().param_count()); ++i) {
      std::size_t size = 0;
      for (const ParamLayout::Entry& part : layout().parts(i)) size += part.size;
      numbers.resize(size);
      read_numbers(host_->numbers(i), numbers);
      queue.write(flat_part(whole, layout().param_offset(i), size), numbers);
    }
  }
  copied_version_ = host_->version();
}

}  // namespace diffusion
