#include <algorithm>
#include <cstring>
#include <vector>

#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

std::int64_t round_up(std::int64_t x, int lanes) {
  return (x + lanes - 1) / lanes * lanes;
}

// Rows of features in plain f32: small products of the time and class embeddings, single-threaded because
// they are too short to share.
class LinearKernel final : public Kernel {
 public:
  LinearKernel(const KernelSpec& spec, const Environment& env)
      : env_(env),
        rows_(spec.out.shape.n),
        in_(spec.in[0].shape.c),
        out_(spec.out.shape.c),
        padded_in_(round_up(in_, env.table->lanes)),
        padded_out_(round_up(out_, env.table->lanes)),
        has_bias_(spec.in.size() == 3),
        transposed_(std::size_t(in_ * padded_out_)),
        padded_weight_(padded_in_ == in_ ? 0 : std::size_t(out_ * padded_in_)) {}

  std::string_view implementation() const override { return "gemm"; }

  std::size_t workspace_bytes() const override {
    return sizeof(float) * std::size_t(std::max({rows_ * padded_out_, rows_ * padded_in_ + rows_ * padded_in_,
                                                 rows_ * padded_in_ + out_ * padded_in_})) +
           64;
  }

  void load_params(std::span<const Tensor> in) override {
    const float* weight = in[1].as<float>();
    for (std::int64_t o = 0; o < out_; ++o)
      for (std::int64_t i = 0; i < in_; ++i)
        transposed_[std::size_t(i * padded_out_ + o)] = weight[o * in_ + i];
    if (!padded_weight_.empty()) pad_rows(weight, out_, in_, padded_in_, padded_weight_.data());
  }

  void forward(const ForwardArgs& a) override {
    auto* y = reinterpret_cast<float*>(a.workspace);
    float* out = a.out.as<float>();
    env_.table->gemm(rows_, padded_out_, in_, a.in[0].as<float>(), in_, 1, transposed_.data(), padded_out_, y,
                     padded_out_, false);
    const float* bias = has_bias_ ? a.in[2].as<float>() : nullptr;
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int64_t o = 0; o < out_; ++o)
        out[r * out_ + o] = y[r * padded_out_ + o] + (bias ? bias[o] : 0.f);
  }

  void backward(const BackwardArgs& a) override {
    const float* dy = a.dout.as<float>();
    auto* first = reinterpret_cast<float*>(a.workspace);
    float* second = first + rows_ * padded_in_;
    if (a.mode[1] != GradMode::skip) {  // dw = dy^T x
      pad_rows(a.in[0].as<float>(), rows_, in_, padded_in_, first);
      env_.table->gemm(out_, padded_in_, rows_, dy, 1, out_, first, padded_in_, second, padded_in_, false);
      add_rows(second, out_, a.din[1].as<float>());
      if (has_bias_)
        for (std::int64_t r = 0; r < rows_; ++r)
          for (std::int64_t o = 0; o < out_; ++o) a.din[2].as<float>()[o] += dy[r * out_ + o];
    }
    if (a.mode[0] == GradMode::skip) return;
    const float* weight = padded_weight_.empty() ? a.in[1].as<float>() : padded_weight_.data();
    env_.table->gemm(rows_, padded_in_, out_, dy, out_, 1, weight, padded_in_, first, padded_in_, false);
    float* dx = a.din[0].as<float>();
    if (a.mode[0] == GradMode::overwrite) std::memset(dx, 0, sizeof(float) * std::size_t(rows_ * in_));
    add_rows(first, rows_, dx);
  }

 private:
  static void pad_rows(const float* from, std::int64_t rows, std::int64_t width, std::int64_t padded,
                       float* to) {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::copy_n(from + r * width, width, to + r * padded);
      std::fill(to + r * padded + width, to + (r + 1) * padded, 0.f);
    }
  }
  void add_rows(const float* padded, std::int64_t rows, float* to) const {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < in_; ++i) to[r * in_ + i] += padded[r * padded_in_ + i];
  }

  Environment env_;
  std::int64_t rows_, in_, out_, padded_in_, padded_out_;
  bool has_bias_;
  std::vector<float> transposed_, padded_weight_;
};

}  // namespace

std::unique_ptr<Kernel> make_linear(const KernelSpec& spec, const Environment& env) {
  if (!is_plain_f32(spec.in[0]) || !is_plain_f32(spec.out)) return nullptr;
  return std::make_unique<LinearKernel>(spec, env);
}

}  // namespace diffusion::cpu
