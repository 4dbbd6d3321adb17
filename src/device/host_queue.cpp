#include "device/host_queue.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "base/buffer.h"

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

  void add_in_pairs(std::span<const Tensor> blocks, std::size_t begin, std::size_t end, float factor,
                    const Tensor& to) override {
    const auto numbers = [&](const Tensor& block) { return static_cast<float*>(block.data); };
    for (std::size_t distance = 1; distance < blocks.size(); distance *= 2)
      for (std::size_t k = 0; k + distance < blocks.size(); k += 2 * distance) {
        float* a = numbers(blocks[k]);
        const float* b = numbers(blocks[k + distance]);
        for (std::size_t i = begin; i < end; ++i) a[i] += b[i];
      }
    const float* sum = numbers(blocks[0]);
    float* out = numbers(to);
    for (std::size_t i = begin; i < end; ++i) out[i] += factor * sum[i];
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
