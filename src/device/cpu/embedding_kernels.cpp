#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <diffusion/error.h>
#include "base/float16.h"
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

float load_number(float value) {
  return value;
}
float load_number(std::uint16_t bits) {
  return from_bf16(bits);
}
void store_number(float value, float* to) {
  *to = value;
}
void store_number(float value, std::uint16_t* to) {
  *to = to_bf16(value);
}

// Number i of a plain tensor.
float number_of(const Tensor& t, std::int64_t i) {
  switch (t.desc.format.dtype) {
    case DType::bf16:
      return from_bf16(t.as<std::uint16_t>()[i]);
    case DType::f16:
      return from_f16(t.as<std::uint16_t>()[i]);
    default:
      return t.as<float>()[i];
  }
}

bool is_plain_table(const TensorDesc& t) {
  return t.format.channel_block == 1 && t.format.dtype != DType::f64;
}

// visit(number in memory, sample, channel, pixel) for all of a tensor of any f32 or bf16 format.
template <class Visit>
void for_each_number(const Tensor& t, Visit visit) {
  const Shape& s = t.shape();
  const std::int64_t block = t.desc.format.channel_block;
  const auto all = [&](auto* data) {
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t first = 0; first < s.c; first += block)
        for (std::int64_t p = 0; p < s.pixels(); ++p) {
          auto* at = data + t.desc.offset(n, first, p);
          for (std::int64_t c = first; c < std::min(s.c, first + block); ++c) visit(at[c - first], n, c, p);
        }
  };
  is_bf16(t.desc) ? all(t.as<std::uint16_t>()) : all(t.as<float>());
}

void clear_unless_accumulating(const Tensor& grad, GradMode mode) {
  if (mode == GradMode::overwrite) std::memset(grad.data, 0, grad.desc.bytes());
}

class EmbeddingKernel final : public Kernel {
 public:
  explicit EmbeddingKernel(const KernelSpec& spec)
      : table_(spec.in[1].shape), pixels_(spec.out.shape.pixels()) {}
  std::string_view implementation() const override { return "table"; }

  void forward(const ForwardArgs& a) override {
    check(a.in[0]);
    std::memset(a.out.data, 0, a.out.desc.bytes());  // the channels that only fill a block, too
    for_each_number(a.out, [&](auto& number, std::int64_t n, std::int64_t c, std::int64_t p) {
      store_number(number_of(a.in[1], row(a.in[0], n, p) * table_.c + c), &number);
    });
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[1] == GradMode::skip) return;
    clear_unless_accumulating(a.din[1], a.mode[1]);
    for_each_number(a.dout, [&](auto number, std::int64_t n, std::int64_t c, std::int64_t p) {
      a.din[1].as<float>()[row(a.in[0], n, p) * table_.c + c] += load_number(number);
    });
  }

 private:
  std::int64_t row(const Tensor& index, std::int64_t n, std::int64_t pixel) const {
    return std::int64_t(index.as<float>()[n * pixels_ + pixel]);
  }
  void check(const Tensor& index) const {
    for (std::int64_t i = 0; i < index.shape().elements(); ++i) {
      const float value = index.as<float>()[i];
      if (!(value >= 0 && value < float(table_.n)) || value != std::floor(value))
        throw Error(ErrorKind::usage,
                    fmt::format("embedding: index {} of sample {} is not a whole number in [0, {})", value,
                                i / pixels_, table_.n));
    }
  }

  Shape table_;
  std::int64_t pixels_;
};

class AddPositionKernel final : public Kernel {
 public:
  AddPositionKernel(const KernelSpec& spec, const Environment& env) : env_(env), desc_(spec.out) {}
  std::string_view implementation() const override { return "table"; }

  void forward(const ForwardArgs& a) override {
    std::memcpy(a.out.data, a.in[0].data, desc_.bytes());
    for_each_number(a.out, [&](auto& number, std::int64_t, std::int64_t c, std::int64_t p) {
      store_number(load_number(number) + number_of(a.in[1], p * desc_.shape.c + c), &number);
    });
  }
  void backward(const BackwardArgs& a) override {
    if (a.mode[0] != GradMode::skip)
      env_.table->scale(desc_.stored_elements(), is_bf16(desc_), a.dout.data, 1.f, a.din[0].data,
                        a.mode[0] == GradMode::accumulate, env_.threads);
    if (a.mode[1] == GradMode::skip) return;
    clear_unless_accumulating(a.din[1], a.mode[1]);
    for_each_number(a.dout, [&](auto number, std::int64_t, std::int64_t c, std::int64_t p) {
      a.din[1].as<float>()[p * desc_.shape.c + c] += load_number(number);
    });
  }

 private:
  Environment env_;
  TensorDesc desc_;
};

}  // namespace

std::unique_ptr<Kernel> make_timestep_embedding(const TimestepEmbedding& op, const KernelSpec& spec) {
  if (!is_plain_f32(spec.in[0]) || !is_plain_f32(spec.out)) return nullptr;
  return std::make_unique<TimestepEmbeddingKernel>(op, spec);
}

std::unique_ptr<Kernel> make_embedding(const KernelSpec& spec, const Environment& env) {
  if (!is_plain_f32(spec.in[0]) || !is_plain_table(spec.in[1])) return nullptr;
  if (!is_plain_f32(spec.out) && !is_blocked(spec.out, env)) return nullptr;
  return std::make_unique<EmbeddingKernel>(spec);
}

std::unique_ptr<Kernel> make_add_position(const KernelSpec& spec, const Environment& env) {
  if (!(spec.in[0] == spec.out) || !is_plain_table(spec.in[1]) || !is_blocked(spec.out, env)) return nullptr;
  return std::make_unique<AddPositionKernel>(spec, env);
}

}  // namespace diffusion::cpu
