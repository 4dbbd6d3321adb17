#include <algorithm>
#include <cstring>

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
#pragma omp parallel for schedule(static) num_threads(env_.threads)
    for (std::int64_t n = 0; n < out_.shape.n; ++n)
      for (std::size_t k = 0; k < 2; ++k)
        std::memcpy(a.out.as<std::byte>() + std::size_t(n * sample_ + start_[k]) * size,
                    a.in[k].as<std::byte>() + std::size_t(n * run_[k]) * size, std::size_t(run_[k]) * size);
  }
  void backward(const BackwardArgs& a) override {
    const std::size_t size = size_of(out_.format.dtype);
#pragma omp parallel for schedule(static) num_threads(env_.threads)
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

std::unique_ptr<Kernel> make_add(const Add& op, const KernelSpec& spec, const Environment& env) {
  return flat(spec) ? std::make_unique<AddKernel>(op, spec, env) : nullptr;
}

std::unique_ptr<Kernel> make_concat(const KernelSpec& spec, const Environment& env) {
  const bool one_format = spec.in[0].format == spec.out.format && spec.in[1].format == spec.out.format;
  const bool aligned = spec.in[0].shape.c % spec.out.format.channel_block == 0;
  return one_format && aligned ? std::make_unique<ConcatKernel>(spec, env) : nullptr;
}

std::unique_ptr<Kernel> make_upsample(const KernelSpec& spec, const Environment& env) {
  if (!is_blocked(spec.out, env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<ResampleKernel>(spec, env, true);
}

std::unique_ptr<Kernel> make_avg_pool(const KernelSpec& spec, const Environment& env) {
  const bool even = spec.in[0].shape.h % 2 == 0 && spec.in[0].shape.w % 2 == 0;
  if (!even || !is_blocked(spec.out, env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<ResampleKernel>(spec, env, false);
}

}  // namespace diffusion::cpu
