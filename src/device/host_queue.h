#pragma once

// Memory and queue of the devices whose kernels run on the host.

#include <cstddef>
#include <memory>

#include "device/queue.h"

namespace diffusion {

std::unique_ptr<DeviceMemory> allocate_host_memory(std::size_t bytes);

// Does everything at once, in the calling thread, and copies nothing but what it is told to.
std::shared_ptr<Queue> make_host_queue();

}  // namespace diffusion
