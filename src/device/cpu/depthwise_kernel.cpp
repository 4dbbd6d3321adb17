#include <algorithm>
#include <vector>

#include "device/cpu/cpu_kernels.h"
#include "device/cpu/onednn.h"

namespace diffusion::cpu {

namespace {

// What the gradient of the input is: the convolution of dout with the mirrored kernel.
Conv2d mirrored(const Conv2d& op, int kernel) {
  const int pad = kernel - 1 - op.pad_top;
  return {
      .stride = 1, .pad_top = pad, .pad_left = pad, .pad_bottom = pad, .pad_right = pad, .groups = op.groups};
}

// One odd, square kernel per channel that keeps the size. oneDNN's forward is fast, its backward is not: the
// input's gradient is a forward too, and the weights' gradient is ours.
class DepthwiseConv final : public Kernel {
 public:
  DepthwiseConv(const Conv2d& op, const KernelSpec& spec, const Environment& env)
      : table_(env.table),
        has_bias_(spec.in.size() == 3),
        in_(spec.in[0]),
        spec_{blocked_shape(spec.in[0]),
              spec.out.shape.h,
              spec.out.shape.w,
              int(spec.in[1].shape.h),
              op.pad_top,
              is_bf16(spec.in[0]),
              env.threads},
        forward_({op, spec.in[0], spec.out, spec.in[1].shape, has_bias_}),
        mirrored_weight_(std::size_t(spec.in[1].shape.elements())) {
    if (spec.mode == Mode::training && spec.needs_grad[0])
      backward_data_ = std::make_unique<onednn::Convolution>(
          onednn::ConvolutionSpec{mirrored(op, spec_.kernel), spec.out, spec.in[0], spec.in[1].shape});
  }

  std::string_view implementation() const override { return forward_.implementation(); }
  std::size_t workspace_bytes() const override {
    std::size_t bytes =
        std::max(forward_.workspace_bytes(), table_->depthwise_workspace(spec_) * sizeof(float));
    if (backward_data_)
      bytes = std::max(bytes, Carver::padded(backward_data_->workspace_bytes()) + in_.bytes());
    return bytes;
  }

  void load_params(std::span<const Tensor> in) override {
    const float* weight = in[1].as<float>();
    forward_.load_weights(weight);
    if (!backward_data_) return;
    const std::size_t taps = std::size_t(spec_.kernel * spec_.kernel);
    for (std::size_t first = 0; first < mirrored_weight_.size(); first += taps)
      std::reverse_copy(weight + first, weight + first + taps, &mirrored_weight_[first]);
    backward_data_->load_weights(mirrored_weight_.data());
  }

  void forward(const ForwardArgs& a) override {
    forward_.forward(a.in[0].data, has_bias_ ? a.in[2].as<float>() : nullptr, a.out.data, a.workspace);
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      table_->depthwise_weight_grad(spec_, a.in[0].data, a.dout.data, a.din[1].as<float>(),
                                    has_bias_ ? a.din[2].as<float>() : nullptr,
                                    reinterpret_cast<float*>(a.workspace));
    if (a.mode[0] == GradMode::overwrite)
      backward_data_->forward(a.dout.data, nullptr, a.din[0].data, a.workspace);
    if (a.mode[0] == GradMode::accumulate) {
      std::byte* fresh = a.workspace + Carver::padded(backward_data_->workspace_bytes());
      backward_data_->forward(a.dout.data, nullptr, fresh, a.workspace);
      table_->scale(in_.stored_elements(), is_bf16(in_), fresh, 1.f, a.din[0].data, true, spec_.threads);
    }
  }

 private:
  const KernelTable* table_;
  bool has_bias_;
  TensorDesc in_;
  DepthwiseSpec spec_;
  onednn::Convolution forward_;
  std::vector<float> mirrored_weight_;
  std::unique_ptr<onednn::Convolution> backward_data_;
};

}  // namespace

std::unique_ptr<Kernel> make_depthwise_conv(const Conv2d& op, const KernelSpec& spec,
                                            const Environment& env) {
  const TensorDesc &x = spec.in[0], &y = spec.out;
  const std::int64_t kernel = spec.in[1].shape.h, pad = kernel / 2;
  const bool one_filter_each = op.groups == x.shape.c && op.groups == y.shape.c;
  const bool known_kernel = spec.in[1].shape.w == kernel && (kernel == 3 || kernel == 5 || kernel == 7);
  const bool keeps_size = op.stride == 1 && op.pad_top == pad && op.pad_left == pad && op.pad_bottom == pad &&
                          op.pad_right == pad;
  if (!one_filter_each || !known_kernel || !keeps_size || !is_blocked(x, env) || !(x == y)) return nullptr;
  return std::make_unique<DepthwiseConv>(op, spec, env);
}

}  // namespace diffusion::cpu
