#pragma once

#include <span>
#include <vector>

#include "device/queue.h"

namespace diffusion {

// The numbers of a plain f32 tensor as the host may read them until its device is given more work: in place
// where the device uses the host's memory, else a copy.
class HostNumbers {
 public:
  HostNumbers(Queue& queue, const Tensor& tensor);  // waits

  std::span<const float> span() const { return copy_.empty() ? in_place_ : std::span<const float>(copy_); }

 private:
  std::vector<float> copy_;
  std::span<const float> in_place_;
};

}  // namespace diffusion
