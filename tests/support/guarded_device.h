#pragma once

#include <memory>

#include "device/device.h"

namespace diffusion {

// A device that makes mistakes about memory crash. It has the kernels of `inner`, a device on the host's
// memory, but its own memory is closed to everybody (PROT_NONE) and its queue does nothing until somebody
// waits; only then are the memory open and the kernels run. So a host that reads or writes what is the
// device's, or a result that is taken before it is there, is a segmentation fault. Results are `inner`'s to
// the bit.
std::shared_ptr<const Device> make_guarded_device(std::shared_ptr<const Device> inner);

}  // namespace diffusion
