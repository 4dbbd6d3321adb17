#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

TileConvSpec tile_spec(const TensorDesc& x, const TensorDesc& y, const Shape& weight, int stride, int pad_top,
                       int pad_left, const Environment& env) {
  return {blocked_shape(x), blocked_shape(y), x.shape.h, x.shape.w, y.shape.h, y.shape.w,
          int(weight.h),    int(weight.w),    stride,    pad_top,   pad_left,  env.threads};
}

// A convolution from x to y and its transpose, with packed weights [y channels, x channels, height, width].
class TileConvolution {
 public:
  struct Needs {
    bool forward = false, transposed = false, weight_grad = false;
  };
  TileConvolution(const TileConvSpec& spec, Needs needs, const Environment& env)
      : table_(env.table), spec_(spec), needs_(needs) {
    if (needs.forward) packed_ = Buffer<std::uint16_t>(table_->tile_conv_packed_values(spec, false));
    if (needs.transposed) transposed_ = Buffer<std::uint16_t>(table_->tile_conv_packed_values(spec, true));
  }

  std::size_t workspace_bytes() const {
    return std::max({needs_.forward ? table_->tile_conv_workspace(spec_, false) : 0,
                     needs_.transposed ? table_->tile_conv_workspace(spec_, true) : 0,
                     needs_.weight_grad ? table_->tile_conv_weight_grad_workspace(spec_) : 0});
  }
  void load_weights(const float* weight) {
    if (needs_.forward) table_->tile_conv_pack(spec_, false, weight, packed_.data());
    if (needs_.transposed) table_->tile_conv_pack(spec_, true, weight, transposed_.data());
  }
  void run(bool transposed, const void* from, const float* bias, void* to, bool accumulate,
           std::byte* workspace) const {
    table_->tile_conv(spec_, transposed, from, transposed ? transposed_.data() : packed_.data(), bias, to,
                      accumulate, workspace);
  }
  void weight_grad(const void* x, const void* dy, float* dweight, float* x_sums, float* dy_sums,
                   std::byte* workspace) const {
    table_->tile_conv_weight_grad(spec_, x, dy, dweight, x_sums, dy_sums, workspace);
  }

 private:
  const KernelTable* table_;
  TileConvSpec spec_;
  Needs needs_;
  Buffer<std::uint16_t> packed_, transposed_;
};

std::vector<float> padded_bias(const TensorDesc& out) {
  return std::vector<float>(std::size_t(blocked_shape(out).stored_channels()));
}

class TileConv final : public Kernel {
 public:
  TileConv(const Conv2d& op, const KernelSpec& spec, const Environment& env)
      : has_bias_(spec.in.size() == 3),
        bias_(padded_bias(spec.out)),
        conv_(tile_spec(spec.in[0], spec.out, spec.in[1].shape, op.stride, op.pad_top, op.pad_left, env),
              {.forward = true,
               .transposed = spec.mode == Mode::training && spec.needs_grad[0],
               .weight_grad = spec.mode == Mode::training},
              env) {}

  std::string_view implementation() const override { return "tiles"; }
  std::size_t workspace_bytes() const override { return conv_.workspace_bytes(); }

  void load_params(std::span<const Tensor> in) override {
    conv_.load_weights(in[1].as<float>());
    if (has_bias_) std::copy_n(in[2].as<float>(), in[2].shape().c, bias_.begin());
  }
  void forward(const ForwardArgs& a) override {
    conv_.run(false, a.in[0].data, has_bias_ ? bias_.data() : nullptr, a.out.data, false, a.workspace);
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      conv_.weight_grad(a.in[0].data, a.dout.data, a.din[1].as<float>(), nullptr,
                        has_bias_ ? a.din[2].as<float>() : nullptr, a.workspace);
    if (a.mode[0] != GradMode::skip)
      conv_.run(true, a.dout.data, nullptr, a.din[0].data, a.mode[0] == GradMode::accumulate, a.workspace);
  }

 private:
  bool has_bias_;
  std::vector<float> bias_;
  TileConvolution conv_;
};

// The convolution from out to x, in the other direction.
class TileConvTranspose final : public Kernel {
 public:
  TileConvTranspose(const ConvTranspose2d& op, const KernelSpec& spec, const Environment& env)
      : conv_(tile_spec(spec.out, spec.in[0], spec.in[1].shape, op.stride, op.pad, op.pad, env),
              {.forward = spec.mode == Mode::training && spec.needs_grad[0],
               .transposed = true,
               .weight_grad = spec.mode == Mode::training},
              env) {}

  std::string_view implementation() const override { return "tiles"; }
  std::size_t workspace_bytes() const override { return conv_.workspace_bytes(); }

  void load_params(std::span<const Tensor> in) override { conv_.load_weights(in[1].as<float>()); }
  void forward(const ForwardArgs& a) override {
    conv_.run(true, a.in[0].data, nullptr, a.out.data, false, a.workspace);
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip)
      conv_.weight_grad(a.dout.data, a.in[0].data, a.din[1].as<float>(), nullptr, nullptr, a.workspace);
    if (a.mode[0] != GradMode::skip)
      conv_.run(false, a.dout.data, nullptr, a.din[0].data, a.mode[0] == GradMode::accumulate, a.workspace);
  }

 private:
  TileConvolution conv_;
};

// Of an image enlarged by nearest neighbor, the three taps of a row fall on two of its pixels, which two
// depends on the output's parity. So the op is the transpose of a convolution of stride 2 with a 4x4 kernel
// of sums,
//   k4[0] = k3[2],  k4[1] = k3[1] + k3[2],  k4[2] = k3[0] + k3[1],  k4[3] = k3[0]
// in each direction: 16 products where the enlarged image needs 36.
class TileUpsampleConv final : public Kernel {
 public:
  TileUpsampleConv(const KernelSpec& spec, const Environment& env)
      : has_bias_(spec.in.size() == 3),
        small_channels_(std::size_t(spec.in[0].shape.c)),
        large_channels_(std::size_t(spec.out.shape.c)),
        bias_(padded_bias(spec.out)),
        sums_(small_channels_ * large_channels_ * 16),
        conv_(tile_spec(spec.out, spec.in[0], {spec.in[0].shape.c, spec.out.shape.c, 4, 4}, 2, 1, 1, env),
              {.forward = spec.mode == Mode::training && spec.needs_grad[0],
               .transposed = true,
               .weight_grad = spec.mode == Mode::training},
              env) {}

  std::string_view implementation() const override { return "tiles"; }
  std::size_t workspace_bytes() const override { return conv_.workspace_bytes(); }

  void load_params(std::span<const Tensor> in) override {
    const auto* weight = in[1].as<float>();
    std::ranges::fill(sums_, 0.f);
    each_weight([&](std::size_t three, std::size_t four) { sums_[four] += weight[three]; });
    conv_.load_weights(sums_.data());
    if (has_bias_) std::copy_n(in[2].as<float>(), in[2].shape().c, bias_.begin());
  }
  void forward(const ForwardArgs& a) override {
    conv_.run(true, a.in[0].data, has_bias_ ? bias_.data() : nullptr, a.out.data, false, a.workspace);
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[1] != GradMode::skip) {
      std::ranges::fill(sums_, 0.f);
      conv_.weight_grad(a.dout.data, a.in[0].data, sums_.data(), has_bias_ ? a.din[2].as<float>() : nullptr,
                        nullptr, a.workspace);
      auto* dweight = a.din[1].as<float>();
      each_weight([&](std::size_t three, std::size_t four) { dweight[three] += sums_[four]; });
    }
    if (a.mode[0] != GradMode::skip)
      conv_.run(false, a.dout.data, nullptr, a.din[0].data, a.mode[0] == GradMode::accumulate, a.workspace);
  }

 private:
  // visit(index in [Cout, Cin, 3, 3], index in [Cin, Cout, 4, 4]) for all pairs that belong together
  template <class Visit>
  void each_weight(Visit visit) const {
    static constexpr std::array<std::array<std::size_t, 2>, 6> kPairs{
        {{2, 0}, {1, 1}, {2, 1}, {0, 2}, {1, 2}, {0, 3}}};
    for (std::size_t to = 0; to < large_channels_; ++to)
      for (std::size_t from = 0; from < small_channels_; ++from)
        for (const auto& [three_y, four_y] : kPairs)
          for (const auto& [three_x, four_x] : kPairs)
            visit((to * small_channels_ + from) * 9 + three_y * 3 + three_x,
                  (from * large_channels_ + to) * 16 + four_y * 4 + four_x);
  }

  bool has_bias_;
  std::size_t small_channels_, large_channels_;
  std::vector<float> bias_, sums_;  // of weights, or of their gradients
  TileConvolution conv_;
};

bool has_tiles(const KernelSpec& spec, const Environment& env) {
  const auto fits = [&](const TensorDesc& t) { return is_blocked(t, env) && is_bf16(t); };
  return env.table->tile_conv && fits(spec.in[0]) && fits(spec.out);
}

bool has_tiles(const KernelSpec& spec, const Environment& env, int stride) {
  constexpr std::int64_t kLargest = 7;
  const Shape& weight = spec.in[1].shape;
  return has_tiles(spec, env) && (stride == 1 || stride == 2) && std::max(weight.h, weight.w) <= kLargest;
}

}  // namespace

std::unique_ptr<Kernel> make_tile_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env) {
  if (op.groups > 1 || !has_tiles(spec, env, op.stride)) return nullptr;
  return std::make_unique<TileConv>(op, spec, env);
}

std::unique_ptr<Kernel> make_tile_conv_transpose(const ConvTranspose2d& op, const KernelSpec& spec,
                                                 const Environment& env) {
  if (!has_tiles(spec, env, op.stride)) return nullptr;
  return std::make_unique<TileConvTranspose>(op, spec, env);
}

std::unique_ptr<Kernel> make_tile_upsample_conv(const KernelSpec& spec, const Environment& env) {
  if (!has_tiles(spec, env)) return nullptr;
  return std::make_unique<TileUpsampleConv>(spec, env);
}

}  // namespace diffusion::cpu
