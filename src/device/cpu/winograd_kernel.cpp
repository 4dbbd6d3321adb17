#include <algorithm>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "device/cpu/cpu_kernels.h"
#include "device/cpu/onednn.h"

namespace diffusion::cpu {

namespace {

// Winograd is faster than the direct form (docs/benchmarks.md) from so many channels on both sides; with
// fewer the transforms cost what the products save. And from so many tiles: packed weights are four times as
// many as weights, and have to be read. In inference tiles count per image, so that an image is the same
// bytes alone and in any batch.
constexpr std::int64_t kLeastChannelsF32 = 16, kLeastTilesInference = 4, kLeastTilesTraining = 128;
constexpr std::int64_t kLeastChannelsBf16 = 48, kLeastChannelsBf16WeightGrad = 32,
                       kLeastChannelsBf16Upsample = 32;

// 3x3, stride 1, border 1, f32.
class WinogradF32 final : public Kernel {
 public:
  WinogradF32(const KernelSpec& spec, const Environment& env)
      : env_(env),
        has_bias_(spec.in.size() == 3),
        training_(spec.mode == Mode::training),
        forward_{blocked_shape(spec.in[0]), blocked_shape(spec.out), spec.out.shape.h, spec.out.shape.w,
                 env.threads},
        backward_{forward_.y, forward_.x, forward_.height, forward_.width, env.threads},
        weight_(env.table->winograd_f32_packed_floats(forward_)),
        padded_bias_(std::size_t(forward_.y.stored_channels())) {
    if (training_ && spec.needs_grad[0])
      mirrored_weight_ = Buffer<float>(env.table->winograd_f32_packed_floats(backward_));
  }

  std::string_view implementation() const override { return "winograd_f32"; }
  std::size_t workspace_bytes() const override {
    std::size_t floats = env_.table->winograd_f32_forward_workspace(forward_);
    if (mirrored_weight_.size() > 0)
      floats = std::max(floats, env_.table->winograd_f32_forward_workspace(backward_));
    if (training_) floats = std::max(floats, env_.table->winograd_f32_weight_grad_workspace(forward_));
    return floats * sizeof(float);
  }

  void load_params(std::span<const Tensor> in) override {
    const auto* weight = in[1].as<float>();
    env_.table->winograd_f32_pack(forward_, weight, false, weight_.data());
    if (mirrored_weight_.size() > 0)
      env_.table->winograd_f32_pack(backward_, weight, true, mirrored_weight_.data());
    if (has_bias_) std::copy_n(in[2].as<float>(), forward_.y.channels, padded_bias_.begin());
  }

  void forward(const ForwardArgs& a) override {
    env_.table->winograd_f32_forward(forward_, a.in[0].as<float>(), weight_.data(),
                                     has_bias_ ? padded_bias_.data() : nullptr, a.out.as<float>(), false,
                                     reinterpret_cast<float*>(a.workspace));
  }

  void backward(const BackwardArgs& a) override {
    auto* workspace = reinterpret_cast<float*>(a.workspace);
    if (a.mode[1] != GradMode::skip)
      env_.table->winograd_f32_weight_grad(forward_, a.in[0].as<float>(), a.dout.as<float>(),
                                           a.din[1].as<float>(), has_bias_ ? a.din[2].as<float>() : nullptr,
                                           workspace);
    if (a.mode[0] != GradMode::skip)
      env_.table->winograd_f32_forward(backward_, a.dout.as<float>(), mirrored_weight_.data(), nullptr,
                                       a.din[0].as<float>(), a.mode[0] == GradMode::accumulate, workspace);
  }

 private:
  Environment env_;
  bool has_bias_, training_;
  WinogradSpec forward_, backward_;
  Buffer<float> weight_, mirrored_weight_;
  std::vector<float> padded_bias_;
};

// The same for bf16, also of enlarged images; oneDNN has no Winograd for it. With few channels only for the
// gradient of the weights, where the direct form is slowest.
class WinogradBf16 final : public Kernel {
 public:
  WinogradBf16(const KernelSpec& spec, bool enlarges, const Environment& env)
      : env_(env),
        has_bias_(spec.in.size() == 3),
        training_(spec.mode == Mode::training),
        forward_{blocked_shape(spec.in[0]),
                 blocked_shape(spec.out),
                 spec.out.shape.h,
                 spec.out.shape.w,
                 env.threads,
                 enlarges ? WinogradForm::enlarging : WinogradForm::plain},
        backward_{forward_.y,     forward_.x,  forward_.height,
                  forward_.width, env.threads, enlarges ? WinogradForm::shrinking : WinogradForm::plain},
        in_(spec.in[0]),
        padded_bias_(std::size_t(forward_.y.stored_channels())) {
    const bool needs_input_grad = training_ && spec.needs_grad[0];
    if (!enlarges && std::min(forward_.x.channels, forward_.y.channels) < kLeastChannelsBf16) {
      direct_ =
          std::make_unique<onednn::Convolution>(onednn::ConvolutionSpec{.op = Conv2d{1, 1, 1, 1, 1},
                                                                        .in = spec.in[0],
                                                                        .out = spec.out,
                                                                        .weight = spec.in[1].shape,
                                                                        .has_bias = has_bias_,
                                                                        .training = training_,
                                                                        .needs_input_grad = needs_input_grad,
                                                                        .needs_weight_grad = false});
      return;
    }
    weight_ = Buffer<std::uint32_t>(env.table->winograd_bf16_packed_pairs(forward_));
    if (needs_input_grad)
      mirrored_weight_ = Buffer<std::uint32_t>(env.table->winograd_bf16_packed_pairs(backward_));
  }

  std::string_view implementation() const override {
    return direct_ ? "direct, winograd_bf16 for weights" : "winograd_bf16";
  }
  std::size_t workspace_bytes() const override {
    std::size_t bytes = direct_ ? Carver::padded(direct_->workspace_bytes()) + in_.bytes()
                                : std::max(env_.table->winograd_bf16_forward_workspace(forward_),
                                           env_.table->winograd_bf16_forward_workspace(backward_));
    if (training_) bytes = std::max(bytes, env_.table->winograd_bf16_weight_grad_workspace(forward_));
    return bytes;
  }

  void load_params(std::span<const Tensor> in) override {
    const auto* weight = in[1].as<float>();
    if (direct_) return direct_->load_weights(weight);
    env_.table->winograd_bf16_pack(forward_, weight, false, weight_.data());
    if (mirrored_weight_.size() > 0)
      env_.table->winograd_bf16_pack(backward_, weight, true, mirrored_weight_.data());
    if (has_bias_) std::copy_n(in[2].as<float>(), forward_.y.channels, padded_bias_.begin());
  }

  void forward(const ForwardArgs& a) override {
    if (direct_)
      return direct_->forward(a.in[0].data, has_bias_ ? a.in[2].as<float>() : nullptr, a.out.data,
                              a.workspace);
    env_.table->winograd_bf16_forward(forward_, a.in[0].data, weight_.data(),
                                      has_bias_ ? padded_bias_.data() : nullptr, a.out.data, false,
                                      a.workspace);
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      env_.table->winograd_bf16_weight_grad(forward_, a.in[0].data, a.dout.data, a.din[1].as<float>(),
                                            has_bias_ ? a.din[2].as<float>() : nullptr, a.workspace);
    if (a.mode[0] == GradMode::skip) return;
    const bool accumulate = a.mode[0] == GradMode::accumulate;
    if (direct_)
      backward_data_direct(a.dout.data, a.din[0].data, accumulate, a.workspace);
    else
      env_.table->winograd_bf16_forward(backward_, a.dout.data, mirrored_weight_.data(), nullptr,
                                        a.din[0].data, accumulate, a.workspace);
  }

 private:
  void backward_data_direct(const void* dy, void* dx, bool accumulate, std::byte* workspace) {
    if (!accumulate) return direct_->backward_data(dy, dx, workspace);
    std::byte* fresh = workspace + Carver::padded(direct_->workspace_bytes());
    direct_->backward_data(dy, fresh, workspace);
    env_.table->scale(in_.stored_elements(), true, fresh, 1.f, dx, true, env_.threads);
  }

  Environment env_;
  bool has_bias_, training_;
  WinogradSpec forward_, backward_;
  TensorDesc in_;
  Buffer<std::uint32_t> weight_, mirrored_weight_;
  std::vector<float> padded_bias_;
  std::unique_ptr<onednn::Convolution> direct_;
};

}  // namespace

std::unique_ptr<Kernel> make_winograd_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env) {
  const TensorDesc &x = spec.in[0], &y = spec.out;
  const bool shape = spec.in[1].shape.h == 3 && spec.in[1].shape.w == 3 && op.stride == 1 && op.groups == 1 &&
                     op.pad_top == 1 && op.pad_left == 1 && op.pad_bottom == 1 && op.pad_right == 1;
  const bool format = x.format == y.format && is_blocked(x, env) && is_blocked(y, env);
  if (!shape || !format || !env.winograd) return nullptr;
  const bool training = spec.mode == Mode::training;
  const std::int64_t channels = std::min(x.shape.c, y.shape.c);
  if (is_bf16(x)) {
    const bool pays = channels >= (training ? kLeastChannelsBf16WeightGrad : kLeastChannelsBf16);
    if (!pays || !env.table->winograd_bf16_forward) return nullptr;
    if (spec.weights_stay_in_files) return make_streamed_winograd(spec, WinogradForm::plain, env);
    return std::make_unique<WinogradBf16>(spec, false, env);
  }
  const std::int64_t tiles = ((x.shape.h + 3) / 4) * ((x.shape.w + 3) / 4);
  const bool pays = channels >= kLeastChannelsF32 &&
                    (training ? x.shape.n * tiles >= kLeastTilesTraining : tiles >= kLeastTilesInference);
  if (!pays) return nullptr;
  if (spec.weights_stay_in_files) return make_streamed_winograd(spec, WinogradForm::plain, env);
  return std::make_unique<WinogradF32>(spec, env);
}

std::unique_ptr<Kernel> make_winograd_upsample_conv(const KernelSpec& spec, const Environment& env) {
  const TensorDesc &x = spec.in[0], &y = spec.out;
  const bool format = x.format == y.format && is_blocked(x, env) && is_blocked(y, env) && is_bf16(x);
  if (!format || !env.winograd || !env.table->winograd_bf16_forward) return nullptr;
  if (std::min(x.shape.c, y.shape.c) < kLeastChannelsBf16Upsample) return nullptr;
  if (spec.weights_stay_in_files) return make_streamed_winograd(spec, WinogradForm::enlarging, env);
  return std::make_unique<WinogradBf16>(spec, true, env);
}

}  // namespace diffusion::cpu
