#include "device/host_queue.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/pair_sums.h"

namespace diffusion {

namespace {

class HostMemory final : public DeviceMemory {
 public:
  explicit HostMemory(Buffer<std::byte> buffer)
      : DeviceMemory(buffer.data(), buffer.size()), buffer_(std::move(buffer)) {}

 private:
  Buffer<std::byte> buffer_;
};

class HostQueue final : public Queue {
 public:
  bool uses_host_memory() const override { return true; }

  void write(const Tensor& to, std::span<const float> values) override {
    convert({{to.shape(), {DType::f32, 1}}, const_cast<float*>(values.data())}, to);
  }
  void read(const Tensor& from, std::span<float> values) override {
    convert(from, {{from.shape(), {DType::f32, 1}}, values.data()});
  }
  void read(const Tensor& from, std::span<double> values) override {
    convert(from, {{from.shape(), {DType::f64, 1}}, values.data()});
  }

  void upload(void* to, std::span<const std::byte> bytes) override {
    std::ranges::copy(bytes, static_cast<std::byte*>(to));
  }
  void download(const void* from, std::span<std::byte> bytes) override {
    std::copy_n(static_cast<const std::byte*>(from), bytes.size(), bytes.data());
  }
  void fill(void* to, std::size_t bytes, std::byte value) override {
    std::fill_n(static_cast<std::byte*>(to), bytes, value);
  }

  void load_params(Kernel& kernel, std::span<const Tensor> in) override { kernel.load_params(in); }
  void forward(Kernel& kernel, const ForwardArgs& args) override { kernel.forward(args); }
  void backward(Kernel& kernel, const BackwardArgs& args) override { kernel.backward(args); }

  void add_in_pairs(std::span<const Tensor> blocks, std::size_t begin, std::size_t end) override {
    std::vector<float*> numbers;
    for (const Tensor& block : blocks) numbers.push_back(static_cast<float*>(block.data));
    diffusion::add_in_pairs(numbers, begin, end);
  }
  void add_scaled(const Tensor& from, float factor, const Tensor& to, std::size_t begin,
                  std::size_t end) override {
    diffusion::add_scaled(static_cast<const float*>(from.data), factor, static_cast<float*>(to.data), begin,
                          end);
  }

  void sum_of_squares(UpdateKernel& kernel, const Tensor& gradients, double* result) override {
    kernel.sum_of_squares(gradients, result);
  }
  void update(UpdateKernel& kernel, const UpdateArgs& args) override { kernel.update(args); }

  void wait() override {}
};

}  // namespace

std::unique_ptr<DeviceMemory> allocate_host_memory(std::size_t bytes) {
  return std::make_unique<HostMemory>(Buffer<std::byte>(bytes));
}

std::shared_ptr<Queue> make_host_queue() {
  return std::make_shared<HostQueue>();
}

}  // namespace diffusion
