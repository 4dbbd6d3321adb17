#include "device/device.h"
#include "device/host_queue.h"
#include "device/reference/kernels.h"

namespace diffusion {

namespace reference {

Array::Array(const Tensor& tensor) : Array(tensor.shape()) {
  for (std::int64_t n = 0; n < shape_.n; ++n)
    for (std::int64_t c = 0; c < shape_.c; ++c)
      for (std::int64_t p = 0; p < shape_.pixels(); ++p) (*this)(n, c, p) = load(tensor, n, c, p);
}

void Array::store_to(const Tensor& tensor) const {
  store_to(tensor, GradMode::overwrite);
}

void Array::store_to(const Tensor& tensor, GradMode mode) const {
  if (mode == GradMode::skip) return;
  const std::int64_t stored_channels = tensor.desc.blocks() * tensor.desc.format.channel_block;
  for (std::int64_t n = 0; n < shape_.n; ++n)
    for (std::int64_t c = 0; c < stored_channels; ++c)
      for (std::int64_t p = 0; p < shape_.pixels(); ++p) {
        const double before = mode == GradMode::accumulate ? load(tensor, n, c, p) : 0.0;
        store(tensor, n, c, p, c < shape_.c ? before + (*this)(n, c, p) : 0.0);
      }
}

namespace {

class ReferenceDevice final : public Device {
 public:
  std::string_view name() const override { return "reference"; }

  std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const override {
    return allocate_host_memory(bytes);
  }
  std::shared_ptr<Queue> queue() const override { return queue_; }

  Format input_format(const Shape&) const override { return plain; }
  Format output_format(const Op&, std::span<const TensorDesc>, const Shape&) const override { return plain; }

  std::unique_ptr<Kernel> compile(const KernelSpec& spec) const override {
    return std::visit([&](const auto& op) { return make_kernel(op, spec.mode); }, spec.op);
  }
  std::unique_ptr<UpdateKernel> compile_update(const UpdateSpec& spec) const override {
    return make_update(spec);
  }

 private:
  static constexpr Format plain{DType::f64, 1};
  std::shared_ptr<Queue> queue_ = make_host_queue();
};

}  // namespace

}  // namespace reference

std::unique_ptr<Device> make_reference_device() {
  return std::make_unique<reference::ReferenceDevice>();
}

}  // namespace diffusion
