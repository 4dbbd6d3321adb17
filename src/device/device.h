#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "device/kernel.h"
#include "device/queue.h"
#include "device/update.h"

namespace diffusion {

// Memory, a queue of work, and kernels. All three may outlive the device.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;

  // Throws Error(memory) with the size asked for.
  virtual std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const = 0;
  virtual std::shared_ptr<Queue> queue() const = 0;  // always the same

  // The physical form of a graph input, and of an op's output.
  virtual Format input_format(const Shape& shape) const = 0;
  virtual Format output_format(const Op& op, std::span<const TensorDesc> in, const Shape& out) const = 0;
  virtual std::unique_ptr<Kernel> compile(const KernelSpec& spec) const = 0;
  virtual std::unique_ptr<UpdateKernel> compile_update(const UpdateSpec& spec) const = 0;
};

// Plain loops over plain f64 tensors: the truth that every other device is tested against.
std::unique_ptr<Device> make_reference_device();

}  // namespace diffusion
