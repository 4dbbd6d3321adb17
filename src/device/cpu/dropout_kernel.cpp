#include <omp.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"
#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

// One block of channels of one sample at a time: what each element is multiplied with, then the products. The
// backward makes the same factors again.
class DropoutKernel final : public Kernel {
 public:
  DropoutKernel(const Dropout& op, const KernelSpec& spec, const Environment& env)
      : env_(env),
        op_(op),
        desc_(spec.out),
        training_(spec.mode == Mode::training),
        pixels_(spec.out.shape.pixels()),
        block_(spec.out.format.channel_block) {}

  std::string_view implementation() const override { return "counters"; }
  std::size_t workspace_bytes() const override {
    return training_ ? factors_per_thread() * std::size_t(env_.threads) * sizeof(float) : 0;
  }

  void forward(const ForwardArgs& a) override {
    if (training_)
      multiply(a.in[0].data, a.out.data, false, *a.context, a.workspace);
    else
      env_.table->scale(desc_.stored_elements(), is_bf16(desc_), a.in[0].data, 1.f, a.out.data, false,
                        env_.threads);
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::skip) return;
    multiply(a.dout.data, a.din[0].data, a.mode[0] == GradMode::accumulate, *a.context, a.workspace);
  }

 private:
  std::size_t factors_per_thread() const { return Carver::padded(std::size_t(pixels_ * block_) * 4) / 4; }

  void multiply(const void* from, void* to, bool accumulate, const RunContext& context,
                std::byte* workspace) const {
    const std::int64_t blocks = desc_.blocks(), count = pixels_ * block_;
#pragma omp parallel for schedule(static) num_threads(env_.threads)
    for (std::int64_t job = 0; job < desc_.shape.n * blocks; ++job) {
      float* factors =
          reinterpret_cast<float*>(workspace) + std::size_t(omp_get_thread_num()) * factors_per_thread();
      const std::uint32_t sample = context.first_sample + std::uint32_t(job / blocks);
      fill_factors(dropout_key(op_, context.seed, context.step, sample), job % blocks * block_, factors);
      if (is_bf16(desc_))
        apply(static_cast<const std::uint16_t*>(from) + job * count, factors, accumulate,
              static_cast<std::uint16_t*>(to) + job * count);
      else
        apply(static_cast<const float*>(from) + job * count, factors, accumulate,
              static_cast<float*>(to) + job * count);
    }
  }

  // [pixel][channel of the block]
  void fill_factors(const RandomKey& key, std::int64_t first_channel, float* factors) const {
    const float kept = float(1 / (1 - op_.probability));
    std::fill_n(factors, pixels_ * block_, 0.f);
    const std::int64_t channels = std::min(block_, desc_.shape.c - first_channel);
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t begin = (first_channel + c) * pixels_, end = begin + pixels_;
      for (std::int64_t words_at = begin / 4; words_at * 4 < end; ++words_at) {
        const auto words = philox(key, std::uint32_t(words_at));
        for (std::int64_t position = std::max(begin, words_at * 4);
             position < std::min(end, words_at * 4 + 4); ++position)
          if (double(words[std::size_t(position % 4)]) * 0x1p-32 >= op_.probability)
            factors[(position - begin) * block_ + c] = kept;
      }
    }
  }

  static float value(float x) {
    return x;
  }
  static float value(std::uint16_t x) {
    return from_bf16(x);
  }
  static void set(float& to, float x) {
    to = x;
  }
  static void set(std::uint16_t& to, float x) {
    to = to_bf16(x);
  }

  template <class T>
  void apply(const T* from, const float* factors, bool accumulate, T* to) const {
    for (std::int64_t i = 0; i < pixels_ * block_; ++i)
      set(to[i], value(from[i]) * factors[i] + (accumulate ? value(to[i]) : 0.f));
  }

  Environment env_;
  Dropout op_;
  TensorDesc desc_;
  bool training_;
  std::int64_t pixels_, block_;
};

}  // namespace

std::unique_ptr<Kernel> make_dropout(const Dropout& op, const KernelSpec& spec, const Environment& env) {
  if (!(spec.in[0] == spec.out) || spec.out.format.dtype == DType::f64) return nullptr;
  return std::make_unique<DropoutKernel>(op, spec, env);
}

}  // namespace diffusion::cpu
