#include <algorithm>
#include <memory>
#include <vector>

#include "device/cpu/cpu_kernels.h"
#include "device/cpu/onednn.h"

namespace diffusion::cpu {

namespace {

// Convolutions of KernelSpec::weights_stay_in_files: nothing of a weight outlives a run. Whatever has to be
// packed is in the workspace, which the kernels of a plan share.

// Weights as f32 in the workspace, and from there as somebody packs them.
class Unpacked {
 public:
  explicit Unpacked(const KernelSpec& spec)
      : count_(spec.in[1].shape.elements()), is_f32_(spec.in[1].format.dtype == DType::f32) {}

  std::size_t bytes() const { return is_f32_ ? 0 : Carver::padded(std::size_t(count_) * sizeof(float)); }
  const float* read(const Tensor& weight, std::byte* to, const Environment& env) const {
    if (is_f32_) return weight.as<float>();
    env.table->widen(count_, stored_weight(weight), reinterpret_cast<float*>(to), env.threads);
    return reinterpret_cast<const float*>(to);
  }

 private:
  std::int64_t count_;
  bool is_f32_;
};

const float* bias_of(const ForwardArgs& a) {
  return a.in.size() == 3 ? a.in[2].as<float>() : nullptr;
}

class StreamedConv final : public Kernel {
 public:
  StreamedConv(const Conv2d& op, const KernelSpec& spec, const Environment& env)
      : env_(env),
        unpacked_(spec),
        conv_({.op = op,
               .in = spec.in[0],
               .out = spec.out,
               .weight = spec.in[1].shape,
               .has_bias = spec.in.size() == 3,
               .keeps_weights = false}) {}

  std::string_view implementation() const override { return conv_.implementation(); }
  std::size_t workspace_bytes() const override {
    return unpacked_.bytes() + Carver::padded(conv_.packed_weight_bytes()) + conv_.workspace_bytes();
  }
  void forward(const ForwardArgs& a) override {
    std::byte* packed = a.workspace + unpacked_.bytes();
    conv_.pack_weights(unpacked_.read(a.in[1], a.workspace, env_), packed);
    conv_.forward(a.in[0].data, packed, bias_of(a), a.out.data,
                  packed + Carver::padded(conv_.packed_weight_bytes()));
  }
  void backward(const BackwardArgs&) override {}  // inference alone

 private:
  Environment env_;
  Unpacked unpacked_;
  onednn::Convolution conv_;
};

class StreamedWinogradF32 final : public Kernel {
 public:
  StreamedWinogradF32(const KernelSpec& spec, const Environment& env)
      : env_(env),
        unpacked_(spec),
        winograd_{blocked_shape(spec.in[0]), blocked_shape(spec.out), spec.out.shape.h, spec.out.shape.w,
                  env.threads},
        padded_bias_(std::size_t(winograd_.y.stored_channels())) {}

  std::string_view implementation() const override { return "winograd_f32"; }
  std::size_t workspace_bytes() const override {
    return unpacked_.bytes() + packed_bytes() +
           env_.table->winograd_f32_forward_workspace(winograd_) * sizeof(float);
  }
  void load_params(std::span<const Tensor> in) override {
    if (in.size() == 3) std::copy_n(in[2].as<float>(), winograd_.y.channels, padded_bias_.begin());
  }
  void forward(const ForwardArgs& a) override {
    auto* packed = reinterpret_cast<float*>(a.workspace + unpacked_.bytes());
    env_.table->winograd_f32_pack(winograd_, unpacked_.read(a.in[1], a.workspace, env_), false, packed);
    env_.table->winograd_f32_forward(winograd_, a.in[0].as<float>(), packed,
                                     a.in.size() == 3 ? padded_bias_.data() : nullptr, a.out.as<float>(),
                                     false, packed + packed_bytes() / sizeof(float));
  }
  void backward(const BackwardArgs&) override {}

 private:
  std::size_t packed_bytes() const {
    return Carver::padded(env_.table->winograd_f32_packed_floats(winograd_) * sizeof(float));
  }

  Environment env_;
  Unpacked unpacked_;
  WinogradSpec winograd_;
  std::vector<float> padded_bias_;
};

class StreamedWinogradBf16 final : public Kernel {
 public:
  StreamedWinogradBf16(const KernelSpec& spec, WinogradForm form, const Environment& env)
      : env_(env),
        winograd_{blocked_shape(spec.in[0]),
                  blocked_shape(spec.out),
                  spec.out.shape.h,
                  spec.out.shape.w,
                  env.threads,
                  form},
        padded_bias_(std::size_t(winograd_.y.stored_channels())) {}

  std::string_view implementation() const override { return "streamed winograd_bf16"; }
  std::size_t workspace_bytes() const override { return env_.table->streamed_winograd_workspace(winograd_); }
  void load_params(std::span<const Tensor> in) override {
    if (in.size() == 3) std::copy_n(in[2].as<float>(), winograd_.y.channels, padded_bias_.begin());
  }
  void forward(const ForwardArgs& a) override {
    env_.table->streamed_winograd(winograd_, a.in[0].data, stored_weight(a.in[1]),
                                  a.in.size() == 3 ? padded_bias_.data() : nullptr, a.out.data, a.workspace);
  }
  void backward(const BackwardArgs&) override {}

 private:
  Environment env_;
  WinogradSpec winograd_;
  std::vector<float> padded_bias_;
};

class StreamedPointwise final : public Kernel {
 public:
  StreamedPointwise(const KernelSpec& spec, const Environment& env)
      : env_(env),
        pointwise_{blocked_shape(spec.in[0]), blocked_shape(spec.out), env.threads},
        padded_bias_(std::size_t(pointwise_.y.stored_channels())) {}

  std::string_view implementation() const override { return "streamed pointwise"; }
  std::size_t workspace_bytes() const override {
    return env_.table->streamed_pointwise_workspace(pointwise_);
  }
  void load_params(std::span<const Tensor> in) override {
    if (in.size() == 3) std::copy_n(in[2].as<float>(), pointwise_.y.channels, padded_bias_.begin());
  }
  void forward(const ForwardArgs& a) override {
    env_.table->streamed_pointwise(pointwise_, a.in[0].data, stored_weight(a.in[1]), padded_bias_.data(),
                                   a.out.data, a.workspace);
  }
  void backward(const BackwardArgs&) override {}

 private:
  Environment env_;
  PointwiseSpec pointwise_;
  std::vector<float> padded_bias_;
};

}  // namespace

std::unique_ptr<Kernel> make_streamed_winograd(const KernelSpec& spec, WinogradForm form,
                                               const Environment& env) {
  if (is_bf16(spec.in[0])) return std::make_unique<StreamedWinogradBf16>(spec, form, env);
  return std::make_unique<StreamedWinogradF32>(spec, env);
}

std::unique_ptr<Kernel> make_streamed_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env) {
  const TensorDesc &x = spec.in[0], &y = spec.out;
  if (op.groups > 1 || !is_blocked(x, env) || !is_blocked(y, env)) return nullptr;
  if (auto winograd = make_winograd_conv(op, spec, env)) return winograd;
  const Shape& weight = spec.in[1].shape;
  const bool is_pointwise = weight.h == 1 && weight.w == 1 && op.stride == 1 && op.pad_top == 0 &&
                            op.pad_left == 0 && op.pad_bottom == 0 && op.pad_right == 0;
  const bool in_pairs = is_bf16(x) && is_bf16(y) && x.format.channel_block == env.table->lanes;
  if (is_pointwise && in_pairs && env.table->streamed_pointwise)
    return std::make_unique<StreamedPointwise>(spec, env);
  return std::make_unique<StreamedConv>(op, spec, env);
}

}  // namespace diffusion::cpu
