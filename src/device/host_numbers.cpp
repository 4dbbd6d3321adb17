#include "device/host_numbers.h"

#include <cstddef>

namespace diffusion {

HostNumbers::HostNumbers(Queue& queue, const Tensor& tensor) {
  const auto count = std::size_t(tensor.shape().elements());
  if (queue.uses_host_memory()) {
    queue.wait();
    in_place_ = {tensor.as<float>(), count};
  } else {
    copy_.resize(count);
    queue.read(tensor, copy_);
  }
}

}  // namespace diffusion
