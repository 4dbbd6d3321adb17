#include <algorithm>
#include <vector>

#include "base/buffer.h"
#include "device/cpu/cpu_kernels.h"
#include "device/cpu/onednn.h"

namespace diffusion::cpu {

namespace {

// 3x3, stride 1, border 1, bf16: our own Winograd for the forward and the gradient of the input; oneDNN has none for bf16.
// The gradient of the weights is oneDNN's: as Winograd it moves so much memory that it wins nothing (docs/benchmarks.md).
class WinogradConv final : public Kernel {
 public:
  WinogradConv(const Conv2d& op, const KernelSpec& spec, const Environment& env)
      : table_(env.table),
        has_bias_(spec.in.size() == 3),
        forward_{blocked_shape(spec.in[0]), blocked_shape(spec.out), spec.out.shape.h, spec.out.shape.w,
                 env.threads},
        backward_{forward_.y, forward_.x, forward_.height, forward_.width, env.threads},
        training_(spec.mode == Mode::training),
        needs_input_grad_(training_ && spec.needs_grad[0]),
        weight_(table_->winograd_packed_pairs(forward_)),
        mirrored_weight_(needs_input_grad_ ? table_->winograd_packed_pairs(backward_) : 0),
        padded_bias_(std::size_t(forward_.y.stored_channels())) {
    if (training_)
      direct_ = std::make_unique<onednn::Convolution>(
          onednn::ConvolutionSpec{op, spec.in[0], spec.out, spec.in[1].shape, has_bias_, true});
  }

  std::string_view implementation() const override { return "winograd_bf16"; }
  std::size_t workspace_bytes() const override {
    std::size_t bytes = table_->winograd_forward_workspace(forward_);
    if (needs_input_grad_) bytes = std::max(bytes, table_->winograd_forward_workspace(backward_));
    if (direct_) bytes = std::max(bytes, direct_->workspace_bytes());
    return bytes;
  }

  void load_params(std::span<const Tensor> in) override {
    table_->winograd_pack(forward_, in[1].as<float>(), false, weight_.data());
    if (needs_input_grad_) table_->winograd_pack(backward_, in[1].as<float>(), true, mirrored_weight_.data());
    if (has_bias_) std::copy_n(in[2].as<float>(), forward_.y.channels, padded_bias_.begin());
  }

  void forward(const ForwardArgs& a) override {
    table_->winograd_forward(forward_, a.in[0].data, weight_.data(),
                             has_bias_ ? padded_bias_.data() : nullptr, a.out.data, false, a.workspace);
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      direct_->backward_weights(a.in[0].data, a.dout.data, a.din[1].as<float>(),
                                has_bias_ ? a.din[2].as<float>() : nullptr, a.workspace);
    if (a.mode[0] != GradMode::skip)
      table_->winograd_forward(backward_, a.dout.data, mirrored_weight_.data(), nullptr, a.din[0].data,
                               a.mode[0] == GradMode::accumulate, a.workspace);
  }

 private:
  const KernelTable* table_;
  bool has_bias_;
  WinogradSpec forward_, backward_;
  bool training_, needs_input_grad_;
  Buffer<std::uint32_t> weight_, mirrored_weight_;
  std::vector<float> padded_bias_;
  std::unique_ptr<onednn::Convolution> direct_;  // in training
};

}  // namespace

std::unique_ptr<Kernel> make_winograd_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env) {
  const TensorDesc &x = spec.in[0], &y = spec.out;
  const bool shape = spec.in[1].shape.h == 3 && spec.in[1].shape.w == 3 && op.stride == 1 && op.groups == 1 &&
                     op.pad_top == 1 && op.pad_left == 1 && op.pad_bottom == 1 && op.pad_right == 1;
  const bool format = is_bf16(x) && x.format == y.format && is_blocked(x, env) && is_blocked(y, env);
  // With fewer channels the transforms cost what the products save.
  const bool pays = std::min(x.shape.c, y.shape.c) >= 48;
  if (!shape || !format || !pays || !env.table->winograd_forward) return nullptr;
  return std::make_unique<WinogradConv>(op, spec, env);
}

}  // namespace diffusion::cpu
