#include <algorithm>
#include <cstring>
#include <vector>

#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

class ActivateKernel final : public Kernel {
 public:
  ActivateKernel(const Activate& op, const KernelSpec& spec, const Environment& env)
      : env_(env), kind_(op.activation), desc_(spec.out) {}
  std::string_view implementation() const override { return "vector"; }

  void forward(const ForwardArgs& a) override {
    env_.table->activate(desc_.stored_elements(), is_bf16(desc_), kind_, a.in[0].data, a.out.data,
                         env_.threads);
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::skip) return;
    env_.table->activate_backward(desc_.stored_elements(), is_bf16(desc_), kind_, a.in[0].data, a.dout.data,
                                  a.din[0].data, a.mode[0] == GradMode::accumulate, env_.threads);
  }

 private:
  Environment env_;
  Activation kind_;
  TensorDesc desc_;
};

// Both halves end on a block boundary.
class GateKernel final : public Kernel {
 public:
  GateKernel(const Gate& op, const KernelSpec& spec, const Environment& env)
      : env_(env), kind_(op.activation), out_(spec.out) {}
  std::string_view implementation() const override { return "vector"; }

  void forward(const ForwardArgs& a) override {
    env_.table->gate(out_.shape.n, half(), is_bf16(out_), kind_, a.in[0].data, a.out.data, env_.threads);
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::skip) return;
    env_.table->gate_backward(out_.shape.n, half(), is_bf16(out_), kind_, a.in[0].data, a.dout.data,
                              a.din[0].data, a.mode[0] == GradMode::accumulate, env_.threads);
  }

 private:
  std::int64_t half() const { return out_.stored_elements() / out_.shape.n; }

  Environment env_;
  Activation kind_;
  TensorDesc out_;
};

class AddKernel final : public Kernel {
 public:
  AddKernel(const Add& op, const KernelSpec& spec, const Environment& env)
      : env_(env), scale_(float(op.scale)), desc_(spec.out) {}
  std::string_view implementation() const override { return "vector"; }

  void forward(const ForwardArgs& a) override {
    env_.table->add(desc_.stored_elements(), is_bf16(desc_), a.in[0].data, a.in[1].data, scale_, a.out.data,
                    env_.threads);
  }
  void backward(const BackwardArgs& a) override {
    for (std::size_t k = 0; k < 2; ++k)
      if (a.mode[k] != GradMode::skip)
        env_.table->scale(desc_.stored_elements(), is_bf16(desc_), a.dout.data, scale_, a.din[k].data,
                          a.mode[k] == GradMode::accumulate, env_.threads);
  }

 private:
  Environment env_;
  float scale_;
  TensorDesc desc_;
};

// Both inputs end on a block boundary, or are a single block wide in plain form: whole runs of memory move.
class ConcatKernel final : public Kernel {
 public:
  ConcatKernel(const KernelSpec& spec, const Environment& env) : env_(env), out_(spec.out) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < 2; ++k) {
      run_[k] = spec.in[k].stored_elements() / spec.in[k].shape.n;
      start_[k] = at;
      at += run_[k];
    }
    sample_ = at;
  }
  std::string_view implementation() const override { return "copy"; }

  void forward(const ForwardArgs& a) override {
    const std::size_t size = size_of(out_.format.dtype);
#pragma omp parallel for schedule(static) num_threads(env_.threads) if (out_.shape.n > 1)
    for (std::int64_t n = 0; n < out_.shape.n; ++n)
      for (std::size_t k = 0; k < 2; ++k)
        std::memcpy(a.out.as<std::byte>() + std::size_t(n * sample_ + start_[k]) * size,
                    a.in[k].as<std::byte>() + std::size_t(n * run_[k]) * size, std::size_t(run_[k]) * size);
  }
  void backward(const BackwardArgs& a) override {
    const std::size_t size = size_of(out_.format.dtype);
#pragma omp parallel for schedule(static) num_threads(env_.threads) if (out_.shape.n > 1)
    for (std::int64_t n = 0; n < out_.shape.n; ++n)
      for (std::size_t k = 0; k < 2; ++k) {
        if (a.mode[k] == GradMode::skip) continue;
        const std::byte* from = a.dout.as<std::byte>() + std::size_t(n * sample_ + start_[k]) * size;
        std::byte* to = a.din[k].as<std::byte>() + std::size_t(n * run_[k]) * size;
        if (a.mode[k] == GradMode::accumulate)
          env_.table->scale(run_[k], is_bf16(out_), from, 1.f, to, true, 1);
        else
          std::memcpy(to, from, std::size_t(run_[k]) * size);
      }
  }

 private:
  Environment env_;
  TensorDesc out_;
  std::int64_t run_[2], start_[2], sample_;
};

// Channels that do not end on a block boundary: runs of channels that lie in one block on both sides.
class ShiftedConcatKernel final : public Kernel {
 public:
  ShiftedConcatKernel(const KernelSpec& spec, const Environment& env)
      : env_(env), pixels_(spec.out.shape.pixels()), block_(spec.out.format.channel_block), out_(spec.out) {
    std::int64_t out_channel = 0;
    for (std::size_t k = 0; k < 2; ++k) {
      in_[k] = spec.in[k];
      for (std::int64_t c = 0; c < in_[k].shape.c;) {
        const std::int64_t count =
            std::min({in_[k].shape.c - c, block_ - c % block_, block_ - out_channel % block_});
        runs_.push_back({k, offset(c), offset(out_channel), std::size_t(count)});
        c += count;
        out_channel += count;
      }
    }
  }
  std::string_view implementation() const override { return "runs"; }

  void forward(const ForwardArgs& a) override {
    const std::size_t size = size_of(out_.format.dtype);
#pragma omp parallel for schedule(static) num_threads(env_.threads) if (out_.shape.n > 1)
    for (std::int64_t n = 0; n < out_.shape.n; ++n) {
      std::byte* to = sample(a.out, out_, n);
      clear_last_block(to, out_);
      for (const Run& run : runs_)
        copy(sample(a.in[run.input], in_[run.input], n) + run.in * size, to + run.out * size,
             run.channels * size);
    }
  }
  void backward(const BackwardArgs& a) override {
    const std::size_t size = size_of(out_.format.dtype);
#pragma omp parallel for schedule(static) num_threads(env_.threads) if (out_.shape.n > 1)
    for (std::int64_t n = 0; n < out_.shape.n; ++n) {
      for (std::size_t k = 0; k < 2; ++k)
        if (a.mode[k] == GradMode::overwrite) clear_last_block(sample(a.din[k], in_[k], n), in_[k]);
      for (const Run& run : runs_) {
        if (a.mode[run.input] == GradMode::skip) continue;
        const std::byte* from = sample(a.dout, out_, n) + run.out * size;
        std::byte* to = sample(a.din[run.input], in_[run.input], n) + run.in * size;
        if (a.mode[run.input] == GradMode::overwrite)
          copy(from, to, run.channels * size);
        else
          add(from, to, run.channels);
      }
    }
  }

 private:
  struct Run {
    std::size_t input, in, out, channels;  // elements into a sample, for pixel 0
  };

  std::size_t offset(std::int64_t channel) const {
    return std::size_t(channel / block_ * block_ * pixels_ + channel % block_);
  }
  static std::byte* sample(const Tensor& t, const TensorDesc& desc, std::int64_t n) {
    return t.as<std::byte>() + std::size_t(n) * desc.bytes() / std::size_t(desc.shape.n);
  }
  void clear_last_block(std::byte* sample, const TensorDesc& desc) const {
    const std::size_t bytes = desc.bytes() / std::size_t(desc.shape.n);
    const std::size_t last = std::size_t(block_ * pixels_) * size_of(desc.format.dtype);
    std::memset(sample + bytes - last, 0, last);
  }
  void copy(const std::byte* from, std::byte* to, std::size_t bytes) const {
    const std::size_t stride = std::size_t(block_) * size_of(out_.format.dtype);
    for (std::int64_t p = 0; p < pixels_; ++p)
      std::memcpy(to + std::size_t(p) * stride, from + std::size_t(p) * stride, bytes);
  }
  void add(const std::byte* from, std::byte* to, std::size_t channels) const {
    for (std::int64_t p = 0; p < pixels_; ++p)
      for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t at = std::size_t(p * block_) + c;
        if (out_.format.dtype == DType::bf16) {
          auto* sum = reinterpret_cast<std::uint16_t*>(to) + at;
          *sum = to_bf16(from_bf16(*sum) + from_bf16(reinterpret_cast<const std::uint16_t*>(from)[at]));
        } else {
          reinterpret_cast<float*>(to)[at] += reinterpret_cast<const float*>(from)[at];
        }
      }
  }

  Environment env_;
  std::int64_t pixels_, block_;
  TensorDesc out_, in_[2];
  std::vector<Run> runs_;
};

// Nearest-neighbor doubling and 2x2 means are each other's transposes up to a factor.
class ResampleKernel final : public Kernel {
 public:
  ResampleKernel(const KernelSpec& spec, const Environment& env, bool up)
      : env_(env), up_(up), small_(up ? spec.in[0] : spec.out) {}
  std::string_view implementation() const override { return "vector"; }

  void forward(const ForwardArgs& a) override {
    up_ ? enlarge(a.in[0].data, a.out.data, 1.f, false) : shrink(a.in[0].data, a.out.data, 0.25f, false);
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::skip) return;
    const bool accumulate = a.mode[0] == GradMode::accumulate;
    up_ ? shrink(a.dout.data, a.din[0].data, 1.f, accumulate)
        : enlarge(a.dout.data, a.din[0].data, 0.25f, accumulate);
  }

 private:
  void enlarge(const void* from, void* to, float factor, bool accumulate) {
    env_.table->upsample(small_.shape.n * small_.blocks(), small_.shape.h, small_.shape.w,
                         small_.format.channel_block, is_bf16(small_), from, to, factor, accumulate,
                         env_.threads);
  }
  void shrink(const void* from, void* to, float factor, bool accumulate) {
    env_.table->downsample_sum(small_.shape.n * small_.blocks(), small_.shape.h, small_.shape.w,
                               small_.format.channel_block, is_bf16(small_), from, to, factor, accumulate,
                               env_.threads);
  }

  Environment env_;
  bool up_;
  TensorDesc small_;
};

bool flat(const KernelSpec& spec) {  // one physical form throughout, f32 or bf16
  return spec.out.format.dtype != DType::f64 &&
         std::ranges::all_of(spec.in, [&](const TensorDesc& t) { return t == spec.out; });
}

}  // namespace

std::unique_ptr<Kernel> make_activate(const Activate& op, const KernelSpec& spec, const Environment& env) {
  return flat(spec) ? std::make_unique<ActivateKernel>(op, spec, env) : nullptr;
}

std::unique_ptr<Kernel> make_gate(const Gate& op, const KernelSpec& spec, const Environment& env) {
  if (!is_blocked(spec.out, env) || !(spec.in[0].format == spec.out.format) ||
      spec.out.shape.c % spec.out.format.channel_block != 0)
    return nullptr;
  return std::make_unique<GateKernel>(op, spec, env);
}

std::unique_ptr<Kernel> make_add(const Add& op, const KernelSpec& spec, const Environment& env) {
  return flat(spec) ? std::make_unique<AddKernel>(op, spec, env) : nullptr;
}

std::unique_ptr<Kernel> make_concat(const KernelSpec& spec, const Environment& env) {
  const bool one_format = spec.in[0].format == spec.out.format && spec.in[1].format == spec.out.format;
  const bool aligned = spec.in[0].shape.c % spec.out.format.channel_block == 0;
  if (!one_format) return nullptr;
  if (aligned) return std::make_unique<ConcatKernel>(spec, env);
  if (!is_blocked(spec.out, env)) return nullptr;
  return std::make_unique<ShiftedConcatKernel>(spec, env);
}

std::unique_ptr<Kernel> make_upsample(const KernelSpec& spec, const Environment& env) {
  if (!is_blocked(spec.out, env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<ResampleKernel>(spec, env, true);
}

std::unique_ptr<Kernel> make_halving(const AvgPool& op, const KernelSpec& spec, const Environment& env) {
  const bool halves = op.kernel == 2 && op.stride == 2 && op.pad == 0 && spec.in[0].shape.h % 2 == 0 &&
                      spec.in[0].shape.w % 2 == 0;
  if (!halves || !is_blocked(spec.out, env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<ResampleKernel>(spec, env, false);
}

}  // namespace diffusion::cpu
