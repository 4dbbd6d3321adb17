#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

class TimestepEmbeddingKernel final : public Kernel {
 public:
  TimestepEmbeddingKernel(const TimestepEmbedding& op, const KernelSpec& spec)
      : op_(op), rows_(spec.out.shape.n) {
    const int half = op.dim / 2;
    for (int i = 0; i < half; ++i)
      frequencies_.push_back(std::pow(op.max_period, -double(i) / (double(half) - op.freq_shift)));
  }
  std::string_view implementation() const override { return "table"; }

  void forward(const ForwardArgs& a) override {
    const std::size_t half = frequencies_.size();
    for (std::int64_t n = 0; n < rows_; ++n) {
      const double t = double(a.in[0].as<float>()[n]);
      float* out = a.out.as<float>() + n * op_.dim;
      float *sine = out + (op_.flip_sin_to_cos ? half : 0), *cosine = out + (op_.flip_sin_to_cos ? 0 : half);
      for (std::size_t i = 0; i < half; ++i) {
        sine[i] = float(std::sin(t * frequencies_[i]));
        cosine[i] = float(std::cos(t * frequencies_[i]));
      }
      if (op_.dim % 2 != 0) out[op_.dim - 1] = 0;
    }
  }
  void backward(const BackwardArgs&) override {}  // t gets no gradient

 private:
  TimestepEmbedding op_;
  std::int64_t rows_;
  std::vector<double> frequencies_;
};

class EmbeddingKernel final : public Kernel {
 public:
  explicit EmbeddingKernel(const KernelSpec& spec)
      : rows_(spec.in[1].shape.n), count_(spec.out.shape.n), dim_(spec.out.shape.c) {}
  std::string_view implementation() const override { return "table"; }

  void forward(const ForwardArgs& a) override {
    for (std::int64_t n = 0; n < count_; ++n)
      std::memcpy(a.out.as<float>() + n * dim_, a.in[1].as<float>() + row(a.in[0], n) * dim_,
                  std::size_t(dim_) * sizeof(float));
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[1] == GradMode::skip) return;
    if (a.mode[1] == GradMode::overwrite)
      std::memset(a.din[1].data, 0, std::size_t(rows_ * dim_) * sizeof(float));
    for (std::int64_t n = 0; n < count_; ++n) {
      const float* from = a.dout.as<float>() + n * dim_;
      float* to = a.din[1].as<float>() + row(a.in[0], n) * dim_;
      for (std::int64_t c = 0; c < dim_; ++c) to[c] += from[c];
    }
  }

 private:
  std::int64_t row(const Tensor& index, std::int64_t n) const {
    const float value = index.as<float>()[n];
    if (!(value >= 0 && value < float(rows_)) || value != std::floor(value))
      throw Error(
          ErrorKind::usage,
          fmt::format("embedding: index {} of sample {} is not a whole number in [0, {})", value, n, rows_));
    return std::int64_t(value);
  }

  std::int64_t rows_, count_, dim_;
};

}  // namespace

std::unique_ptr<Kernel> make_timestep_embedding(const TimestepEmbedding& op, const KernelSpec& spec) {
  if (!is_plain_f32(spec.in[0]) || !is_plain_f32(spec.out)) return nullptr;
  return std::make_unique<TimestepEmbeddingKernel>(op, spec);
}

std::unique_ptr<Kernel> make_embedding(const KernelSpec& spec) {
  if (!is_plain_f32(spec.in[0]) || !is_plain_f32(spec.in[1]) || !is_plain_f32(spec.out)) return nullptr;
  return std::make_unique<EmbeddingKernel>(spec);
}

}  // namespace diffusion::cpu
