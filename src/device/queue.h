#pragma once

#include <cstddef>
#include <span>

#include "device/kernel.h"
#include "device/update.h"

namespace diffusion {

// A block of a device's memory: page-aligned, zero at birth. It is given back when this ends, after the work
// that the device's queue was given before.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  std::byte* address() const { return address_; }  // of the device; see Tensor
  std::size_t bytes() const { return bytes_; }

 protected:
  DeviceMemory(std::byte* address, std::size_t bytes) : address_(address), bytes_(bytes) {}

 private:
  std::byte* address_;
  std::size_t bytes_;
};

// The work of a device, done in the order in which it was given, at any time until wait() returns; only
// read(), download() and wait() wait. So kernels, and the arrays that their arguments are spans of, must stay
// until then; numbers of the host may change as soon as a call returns.
//
// A kernel's error comes from the call itself or from the next one that waits, and what was given after that
// kernel is not done. Several threads may use one queue: each has its own work in order.
class Queue {
 public:
  virtual ~Queue() = default;

  // Whether the addresses of the host are addresses of the device too: then nothing needs to be copied.
  virtual bool uses_host_memory() const = 0;

  // Plain NCHW numbers, converted to the tensor's format and from it.
  virtual void write(const Tensor& to, std::span<const float> values) = 0;
  virtual void read(const Tensor& from, std::span<float> values) = 0;
  virtual void read(const Tensor& from, std::span<double> values) = 0;

  // Bytes as they are. `to` and `from` are addresses of the device.
  virtual void upload(void* to, std::span<const std::byte> bytes) = 0;
  virtual void download(const void* from, std::span<std::byte> bytes) = 0;
  virtual void fill(void* to, std::size_t bytes, std::byte value) = 0;

  virtual void load_params(Kernel& kernel, std::span<const Tensor> in) = 0;
  virtual void forward(Kernel& kernel, const ForwardArgs& args) = 0;
  virtual void backward(Kernel& kernel, const BackwardArgs& args) = 0;

  // Numbers begin to end - 1 of flat f32 blocks, as in base/pair_sums.h.
  virtual void add_in_pairs(std::span<const Tensor> blocks, std::size_t begin, std::size_t end) = 0;
  virtual void add_scaled(const Tensor& from, float factor, const Tensor& to, std::size_t begin,
                          std::size_t end) = 0;

  virtual void sum_of_squares(UpdateKernel& kernel, const Tensor& gradients, double* result) = 0;
  virtual void update(UpdateKernel& kernel, const UpdateArgs& args) = 0;

  virtual void wait() = 0;
};

}  // namespace diffusion
