#include <algorithm>
#include <cstring>
#include <vector>

#include "device/cpu/cpu_kernels.h"
#include "device/cpu/onednn.h"

namespace diffusion::cpu {

namespace {

// Between blocked tensors, or from a plain one: oneDNN.
class BlockedConv final : public Kernel {
 public:
  BlockedConv(const Conv2d& op, const KernelSpec& spec, const Environment& env)
      : env_(env),
        has_bias_(spec.in.size() == 3),
        in_(spec.in[0]),
        conv_({.op = op,
               .in = spec.in[0],
               .out = spec.out,
               .weight = spec.in[1].shape,
               .has_bias = has_bias_,
               .training = spec.mode == Mode::training,
               .needs_input_grad = spec.mode == Mode::training && spec.needs_grad[0]}) {}

  std::size_t workspace_bytes() const override {
    return Carver::padded(conv_.workspace_bytes()) + in_.bytes();
  }
  std::string_view implementation() const override { return conv_.implementation(); }

  void load_params(std::span<const Tensor> in) override { conv_.load_weights(in[1].as<float>()); }

  void forward(const ForwardArgs& a) override {
    conv_.forward(a.in[0].data, has_bias_ ? a.in[2].as<float>() : nullptr, a.out.data, a.workspace);
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      conv_.backward_weights(a.in[0].data, a.dout.data, a.din[1].as<float>(),
                             has_bias_ ? a.din[2].as<float>() : nullptr, a.workspace);
    if (a.mode[0] == GradMode::overwrite) conv_.backward_data(a.dout.data, a.din[0].data, a.workspace);
    if (a.mode[0] == GradMode::accumulate) {
      std::byte* fresh = a.workspace + Carver::padded(conv_.workspace_bytes());
      conv_.backward_data(a.dout.data, fresh, a.workspace);
      env_.table->scale(in_.stored_elements(), is_bf16(in_), fresh, 1.f, a.din[0].data, true, env_.threads);
    }
  }

 private:
  Environment env_;
  bool has_bias_;
  TensorDesc in_;
  onednn::Convolution conv_;
};

// The convolution that maps out to x, backwards.
class TransposedConv final : public Kernel {
 public:
  TransposedConv(const ConvTranspose2d& op, const KernelSpec& spec, const Environment& env)
      : env_(env),
        in_(spec.in[0]),
        // Its forward is wanted in training only, and what it calls its input gradient is our output.
        conv_({{op.stride, op.pad, op.pad, op.pad, op.pad},
               spec.out,
               spec.in[0],
               spec.in[1].shape,
               false,
               true,
               true}) {}

  std::size_t workspace_bytes() const override {
    return Carver::padded(conv_.workspace_bytes()) + in_.bytes();
  }
  std::string_view implementation() const override { return conv_.implementation(); }

  void load_params(std::span<const Tensor> in) override { conv_.load_weights(in[1].as<float>()); }

  void forward(const ForwardArgs& a) override { conv_.backward_data(a.in[0].data, a.out.data, a.workspace); }

  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      conv_.backward_weights(a.dout.data, a.in[0].data, a.din[1].as<float>(), nullptr, a.workspace);
    if (a.mode[0] == GradMode::overwrite) conv_.forward(a.dout.data, nullptr, a.din[0].data, a.workspace);
    if (a.mode[0] == GradMode::accumulate) {
      std::byte* fresh = a.workspace + Carver::padded(conv_.workspace_bytes());
      conv_.forward(a.dout.data, nullptr, fresh, a.workspace);
      env_.table->scale(in_.stored_elements(), is_bf16(in_), fresh, 1.f, a.din[0].data, true, env_.threads);
    }
  }

 private:
  Environment env_;
  TensorDesc in_;
  onednn::Convolution conv_;
};

// One to four channels on one side, stride 1: our own kernels. `flipped` weights serve the transposed
// direction.
class NarrowConv final : public Kernel {
 public:
  NarrowConv(const Conv2d& op, const KernelSpec& spec, const Environment& env)
      : env_(env), narrow_input_(spec.in[0].format.channel_block == 1), has_bias_(spec.in.size() == 3) {
    const TensorDesc &wide = narrow_input_ ? spec.out : spec.in[0],
                     &narrow = narrow_input_ ? spec.in[0] : spec.out;
    const Shape& weight = spec.in[1].shape;
    const int kh = int(weight.h), kw = int(weight.w);
    shape_ = {blocked_shape(wide),
              narrow.shape.c,
              wide.shape.h,
              wide.shape.w,
              narrow.shape.h,
              narrow.shape.w,
              kh,
              kw,
              op.pad_top,
              op.pad_left,
              is_bf16(wide),
              env.threads};
    // Seen from the wide side of a wide-to-narrow convolution, the border is what the kernel leaves of the
    // padding.
    as_source_ = shape_;
    as_source_.pad_top = kh - 1 - op.pad_top;
    as_source_.pad_left = kw - 1 - op.pad_left;
    const std::size_t taps = std::size_t(narrow.shape.c) * std::size_t(kh * kw);
    packed_.resize(taps * std::size_t(shape_.wide.stored_channels()));
    flipped_.resize(packed_.size());
    padded_bias_.resize(std::size_t(shape_.wide.stored_channels()));
  }

  std::string_view implementation() const override {
    return narrow_input_ ? "narrow_to_wide" : "wide_to_narrow";
  }

  std::size_t workspace_bytes() const override {
    return Carver::padded(packed_.size() * sizeof(float)) +
           Carver::padded(padded_bias_.size() * sizeof(float)) +
           env_.table->narrow_workspace(shape_) * sizeof(float);
  }

  void load_params(std::span<const Tensor> in) override {
    const float* weight = in[1].as<float>();
    each_weight([&](std::size_t oihw, std::size_t at, std::size_t mirrored) {
      packed_[at] = weight[oihw];
      flipped_[mirrored] = weight[oihw];
    });
    if (has_bias_ && narrow_input_)
      std::copy_n(in[2].as<float>(), shape_.wide.channels, padded_bias_.begin());
  }

  void forward(const ForwardArgs& a) override {
    Carver carver(a.workspace);
    if (narrow_input_)
      env_.table->narrow_to_wide(shape_, a.in[0].as<float>(), packed_.data(), padded_bias_.data(), a.out.data,
                                 false, carver.take<float>(0));
    else
      env_.table->wide_to_narrow(shape_, a.in[0].data, packed_.data(),
                                 has_bias_ ? a.in[2].as<float>() : nullptr, a.out.as<float>(), false);
  }

  void backward(const BackwardArgs& a) override {
    Carver carver(a.workspace);
    auto* dpacked = carver.take<float>(packed_.size());
    auto* wide_sum = carver.take<float>(padded_bias_.size());
    auto* scratch = carver.take<float>(0);
    if (a.mode[1] != GradMode::skip) {
      float* dweight = a.din[1].as<float>();
      if (narrow_input_) {
        env_.table->narrow_weight_grad(shape_, a.in[0].as<float>(), a.dout.data, dpacked, wide_sum, scratch);
        each_weight([&](std::size_t oihw, std::size_t at, std::size_t) { dweight[oihw] += dpacked[at]; });
        if (has_bias_)
          for (std::int64_t c = 0; c < shape_.wide.channels; ++c) a.din[2].as<float>()[c] += wide_sum[c];
      } else {
        env_.table->narrow_weight_grad(as_source_, a.dout.as<float>(), a.in[0].data, dpacked, nullptr,
                                       scratch);
        each_weight(
            [&](std::size_t oihw, std::size_t, std::size_t mirrored) { dweight[oihw] += dpacked[mirrored]; });
        if (has_bias_) add_narrow_bias_grad(a);
      }
    }
    if (a.mode[0] == GradMode::skip) return;
    const bool accumulate = a.mode[0] == GradMode::accumulate;
    if (narrow_input_)
      env_.table->wide_to_narrow(as_source_, a.dout.data, flipped_.data(), nullptr, a.din[0].as<float>(),
                                 accumulate);
    else
      env_.table->narrow_to_wide(as_source_, a.dout.as<float>(), flipped_.data(), nullptr, a.din[0].data,
                                 accumulate, scratch);
  }

 private:
  // visit(index in [Cout, Cin, K, K], index in the packed form, index in the packed form of the mirrored
  // kernel)
  template <class Visit>
  void each_weight(Visit visit) const {
    const auto stored = std::size_t(shape_.wide.stored_channels()), wide = std::size_t(shape_.wide.channels);
    const auto narrow = std::size_t(shape_.narrow_channels);
    const auto taps = std::size_t(shape_.kernel_height * shape_.kernel_width);
    for (std::size_t c = 0; c < narrow; ++c)
      for (std::size_t w = 0; w < wide; ++w)
        for (std::size_t t = 0; t < taps; ++t) {
          const std::size_t oihw = (narrow_input_ ? w * narrow + c : c * wide + w) * taps + t;
          visit(oihw, (c * taps + t) * stored + w, (c * taps + (taps - 1 - t)) * stored + w);
        }
  }

  void add_narrow_bias_grad(const BackwardArgs& a) const {
    const float* dout = a.dout.as<float>();
    const std::int64_t pixels = shape_.narrow_height * shape_.narrow_width;
    for (std::int64_t c = 0; c < shape_.narrow_channels; ++c) {
      double total = 0;
      for (std::int64_t n = 0; n < shape_.wide.n; ++n)
        for (std::int64_t p = 0; p < pixels; ++p)
          total += double(dout[(n * shape_.narrow_channels + c) * pixels + p]);
      a.din[2].as<float>()[c] += float(total);
    }
  }

  Environment env_;
  bool narrow_input_, has_bias_;
  NarrowConvSpec shape_, as_source_;
  std::vector<float> packed_, flipped_, padded_bias_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_transpose(const ConvTranspose2d& op, const KernelSpec& spec,
                                            const Environment& env) {
  if (auto tiles = make_tile_conv_transpose(op, spec, env)) return tiles;
  if (!is_blocked(spec.in[0], env) || !is_blocked(spec.out, env)) return nullptr;
  return std::make_unique<TransposedConv>(op, spec, env);
}

std::unique_ptr<Kernel> make_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env) {
  const TensorDesc &x = spec.in[0], &y = spec.out;
  // Groups of several channels would straddle blocks.
  if (op.groups > 1) return make_depthwise_conv(op, spec, env);
  if (auto tiles = make_tile_conv(op, spec, env)) return tiles;
  if (auto winograd = make_winograd_conv(op, spec, env)) return winograd;
  if (is_blocked(x, env) && is_blocked(y, env)) return std::make_unique<BlockedConv>(op, spec, env);
  const bool narrow = (is_plain_f32(x) && is_blocked(y, env)) || (is_blocked(x, env) && is_plain_f32(y));
  if (narrow && op.stride == 1) return std::make_unique<NarrowConv>(op, spec, env);
  // oneDNN reads plain images, too, if no conversion between f32 and bf16 is asked of it.
  if (is_plain_f32(x) && is_blocked(y, env) && !is_bf16(y))
    return std::make_unique<BlockedConv>(op, spec, env);
  return nullptr;
}

}  // namespace diffusion::cpu
