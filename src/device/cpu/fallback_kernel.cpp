#include <vector>

#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

bool is_param(const TensorDesc& t) {
  return is_plain_f32(t);
}

// Any op in any format: converts to what the reference device takes, runs its kernel, converts back. Plain
// f32 tensors, parameters among them, pass through as they are.
class FallbackKernel final : public Kernel {
 public:
  explicit FallbackKernel(const KernelSpec& spec)
      : reference_(make_reference_device()), out_(plain(spec.out)) {
    for (const TensorDesc& t : spec.in) in_.push_back(is_param(t) ? t : plain(t));
    kernel_ = reference_->compile({spec.op, in_, out_, spec.mode, spec.needs_grad});
    const auto padded = [](std::size_t bytes) { return Carver::padded(bytes); };
    workspace_bytes_ = padded(kernel_->workspace_bytes()) + 2 * padded(out_.bytes());
    for (const TensorDesc& t : in_) workspace_bytes_ += 2 * padded(t.bytes());
  }

  std::string_view implementation() const override { return "reference"; }
  std::size_t saved_bytes() const override { return kernel_->saved_bytes(); }
  std::size_t workspace_bytes() const override { return workspace_bytes_; }

  void forward(const ForwardArgs& a) override {
    Carver carver(a.workspace);
    auto* scratch = carver.take<std::byte>(kernel_->workspace_bytes());
    const std::vector<Tensor> in = inputs(a.in, carver);
    const Tensor out{out_, carver.take<std::byte>(out_.bytes())};
    kernel_->forward({in, out, a.saved, scratch, a.context});
    convert(out, a.out);
  }

  void backward(const BackwardArgs& a) override {
    Carver carver(a.workspace);
    auto* scratch = carver.take<std::byte>(kernel_->workspace_bytes());
    const std::vector<Tensor> in = inputs(a.in, carver);
    std::vector<Tensor> din;
    std::vector<GradMode> mode(a.mode.begin(), a.mode.end());
    for (std::size_t k = 0; k < in_.size(); ++k) {
      if (mode[k] == GradMode::skip || in_[k] == a.din[k].desc) {
        din.push_back(a.din[k]);
        continue;
      }
      din.push_back({in_[k], carver.take<std::byte>(in_[k].bytes())});
      if (mode[k] == GradMode::accumulate) convert(a.din[k], din[k]);
    }
    const Tensor out{out_, carver.take<std::byte>(out_.bytes())},
        dout{out_, carver.take<std::byte>(out_.bytes())};
    convert(a.dout, dout);
    if (a.out.data) convert(a.out, out);
    kernel_->backward({in, out, dout, din, mode, a.saved, scratch, a.context});
    for (std::size_t k = 0; k < in_.size(); ++k)
      if (mode[k] != GradMode::skip && din[k].data != a.din[k].data) convert(din[k], a.din[k]);
  }

 private:
  static TensorDesc plain(const TensorDesc& t) { return {t.shape, {DType::f64, 1}}; }

  std::vector<Tensor> inputs(std::span<const Tensor> given, Carver& carver) const {
    std::vector<Tensor> in;
    for (std::size_t k = 0; k < given.size(); ++k) {
      if (given[k].desc == in_[k]) {
        in.push_back(given[k]);
        continue;
      }
      in.push_back({in_[k], carver.take<std::byte>(in_[k].bytes())});
      if (given[k].data) convert(given[k], in[k]);
    }
    return in;
  }

  std::unique_ptr<Device> reference_;
  std::vector<TensorDesc> in_;
  TensorDesc out_;
  std::unique_ptr<Kernel> kernel_;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_fallback(const KernelSpec& spec) {
  return std::make_unique<FallbackKernel>(spec);
}

}  // namespace diffusion::cpu
