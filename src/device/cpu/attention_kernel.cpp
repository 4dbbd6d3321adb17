#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

class AttentionKernel final : public Kernel {
 public:
  AttentionKernel(const Attention& op, const KernelSpec& spec, const Environment& env)
      : table_(env.table),
        spec_{blocked_shape(spec.in[0]), op.heads, is_bf16(spec.in[0]), env.threads},
        training_(spec.mode == Mode::training) {}

  std::string_view implementation() const override { return "fused"; }
  std::size_t saved_bytes() const override {
    return training_ ? std::size_t(spec_.qkv.n * spec_.heads * spec_.qkv.pixels) * sizeof(float) : 0;
  }
  std::size_t workspace_bytes() const override { return table_->attention_workspace(spec_) * sizeof(float); }

  void forward(const ForwardArgs& a) override {
    table_->attention_forward(spec_, a.in[0].data, a.out.data,
                              training_ ? reinterpret_cast<float*>(a.saved) : nullptr,
                              reinterpret_cast<float*>(a.workspace));
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::skip) return;
    table_->attention_backward(spec_, a.in[0].data, a.out.data, reinterpret_cast<const float*>(a.saved),
                               a.dout.data, a.din[0].data, a.mode[0] == GradMode::accumulate,
                               reinterpret_cast<float*>(a.workspace));
  }

 private:
  const KernelTable* table_;
  AttentionSpec spec_;
  bool training_;
};

class LinearAttentionKernel final : public Kernel {
 public:
  LinearAttentionKernel(const LinearAttention& op, const KernelSpec& spec, const Environment& env)
      : table_(env.table), spec_{blocked_shape(spec.in[0]), op.heads, is_bf16(spec.in[0]), env.threads} {}

  std::string_view implementation() const override { return "fused"; }
  std::size_t workspace_bytes() const override {
    return table_->linear_attention_workspace(spec_) * sizeof(float);
  }

  void forward(const ForwardArgs& a) override {
    table_->linear_attention_forward(spec_, a.in[0].data, a.out.data, reinterpret_cast<float*>(a.workspace));
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::skip) return;
    table_->linear_attention_backward(spec_, a.in[0].data, a.dout.data, a.din[0].data,
                                      a.mode[0] == GradMode::accumulate,
                                      reinterpret_cast<float*>(a.workspace));
  }

 private:
  const KernelTable* table_;
  AttentionSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> make_linear_attention(const LinearAttention& op, const KernelSpec& spec,
                                              const Environment& env) {
  if (!is_blocked(spec.in[0], env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<LinearAttentionKernel>(op, spec, env);
}

std::unique_ptr<Kernel> make_attention(const Attention& op, const KernelSpec& spec, const Environment& env) {
  if (!is_blocked(spec.in[0], env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<AttentionKernel>(op, spec, env);
}

}  // namespace diffusion::cpu
