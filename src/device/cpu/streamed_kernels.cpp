#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

using Compile = std::function<std::unique_ptr<Kernel>(const KernelSpec&)>;

// Rows of features in plain f32, as LinearKernel.
class StreamedLinear final : public Kernel {
 public:
  StreamedLinear(const KernelSpec& spec, const Environment& env)
      : env_(env), rows_(spec.out.shape.n), in_(spec.in[0].shape.c), out_(spec.out.shape.c) {}

  std::string_view implementation() const override { return "streamed gemm"; }

  void forward(const ForwardArgs& a) override {
    auto* y = a.out.as<float>();
    env_.table->streamed_linear(rows_, in_, out_, a.in[0].as<float>(), stored_weight(a.in[1]), y,
                                env_.threads);
    if (a.in.size() < 3) return;
    const auto* bias = a.in[2].as<float>();
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int64_t o = 0; o < out_; ++o) y[r * out_ + o] += bias[o];
  }
  void backward(const BackwardArgs&) override {}  // inference alone

 private:
  Environment env_;
  std::int64_t rows_, in_, out_;
};

// Whatever has no kernel for weights of files: they are f32 in the workspace, and loaded in each run. The
// kernel keeps what it packs of them, so this is for layers with few weights, and rare ones.
class WidenedEachRun final : public Kernel {
 public:
  WidenedEachRun(const KernelSpec& spec, const Environment& env, const Compile& compile) : env_(env) {
    std::vector<TensorDesc> in(spec.in.begin(), spec.in.end());
    for (std::size_t i = 1; i < in.size(); ++i) {
      if (in[i].format.channel_block != 1 || in[i].format.dtype == DType::f32) continue;
      in[i].format.dtype = DType::f32;
      offsets_.emplace_back(i, bytes_);
      bytes_ += Carver::padded(in[i].bytes());
    }
    KernelSpec widened = spec;
    widened.in = in;
    widened.weights_stay_in_files = false;
    kernel_ = compile(widened);
  }

  std::string_view implementation() const override { return kernel_->implementation(); }
  std::size_t workspace_bytes() const override { return bytes_ + kernel_->workspace_bytes(); }

  void forward(const ForwardArgs& a) override {
    std::vector<Tensor> in(a.in.begin(), a.in.end());
    for (const auto& [i, offset] : offsets_) {
      in[i] = {{a.in[i].shape(), {DType::f32, 1}}, a.workspace + offset};
      env_.table->widen(in[i].shape().elements(), stored_weight(a.in[i]), in[i].as<float>(), env_.threads);
    }
    kernel_->load_params(in);
    kernel_->forward({.in = in, .out = a.out, .workspace = a.workspace + bytes_, .context = a.context});
  }
  void backward(const BackwardArgs&) override {}

 private:
  Environment env_;
  std::vector<std::pair<std::size_t, std::size_t>> offsets_;  // of inputs, in the workspace
  std::size_t bytes_ = 0;
  std::unique_ptr<Kernel> kernel_;
};

bool packs_weights(const Op& op) {
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<ConvTranspose2d>(op) ||
         std::holds_alternative<UpsampleConv2d>(op) || std::holds_alternative<Linear>(op);
}

bool reads_any_weight(const Op& op) {
  return std::holds_alternative<Embedding>(op) || std::holds_alternative<AddPosition>(op);
}

}  // namespace

std::unique_ptr<Kernel> make_streamed(const KernelSpec& spec, const Environment& env,
                                      const Compile& compile) {
  std::unique_ptr<Kernel> streamed;
  if (const auto* conv = std::get_if<Conv2d>(&spec.op)) streamed = make_streamed_conv(*conv, spec, env);
  if (std::holds_alternative<UpsampleConv2d>(spec.op)) streamed = make_upsample_conv(spec, env);
  if (std::holds_alternative<Linear>(spec.op) && is_plain_f32(spec.in[0]) && is_plain_f32(spec.out))
    streamed = std::make_unique<StreamedLinear>(spec, env);
  if (streamed || reads_any_weight(spec.op)) return streamed;
  const bool has_stored = std::ranges::any_of(spec.in, [](const TensorDesc& t) {
    return t.format.channel_block == 1 && (t.format.dtype == DType::bf16 || t.format.dtype == DType::f16);
  });
  return has_stored || packs_weights(spec.op) ? std::make_unique<WidenedEachRun>(spec, env, compile)
                                              : nullptr;
}

}  // namespace diffusion::cpu
