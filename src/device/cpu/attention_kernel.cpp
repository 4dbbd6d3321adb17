#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

// Attention and CrossAttention: of the latter the inputs are q, kv and perhaps a mask.
class AttentionKernel final : public Kernel {
 public:
  AttentionKernel(const AttentionSpec& attention, const KernelSpec& spec, const Environment& env)
      : table_(env.table), spec_(attention), training_(spec.mode == Mode::training) {}

  std::string_view implementation() const override { return "fused"; }
  std::size_t saved_bytes() const override {
    return training_ ? std::size_t(spec_.qkv.n * spec_.heads * spec_.qkv.pixels) * sizeof(float) : 0;
  }
  std::size_t workspace_bytes() const override {
    return table_->attention_workspace(spec_, training_) * sizeof(float);
  }

  void forward(const ForwardArgs& a) override {
    table_->attention_forward(spec_, input(a.in), a.out.data,
                              training_ ? reinterpret_cast<float*>(a.saved) : nullptr,
                              reinterpret_cast<float*>(a.workspace));
  }

  void backward(const BackwardArgs& a) override {
    const std::size_t kv = spec_.crosses() ? 1 : 0;
    const auto wanted = [&](std::size_t k) { return a.mode[k] == GradMode::skip ? nullptr : a.din[k].data; };
    if (!wanted(0) && !wanted(kv)) return;
    table_->attention_backward(
        spec_, input(a.in), a.out.data, reinterpret_cast<const float*>(a.saved), a.dout.data,
        {wanted(0), wanted(kv), a.mode[0] == GradMode::accumulate, a.mode[kv] == GradMode::accumulate},
        reinterpret_cast<float*>(a.workspace));
  }

 private:
  AttentionInput input(std::span<const Tensor> in) const {
    return {in[0].data, in[spec_.crosses() ? 1 : 0].data, in.size() > 2 ? in[2].as<float>() : nullptr};
  }

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
  const AttentionSpec attention{blocked_shape(spec.in[0]), op.heads, is_bf16(spec.in[0]), env.threads,
                                op.causal};
  return std::make_unique<AttentionKernel>(attention, spec, env);
}

std::unique_ptr<Kernel> make_cross_attention(const CrossAttention& op, const KernelSpec& spec,
                                             const Environment& env) {
  if (!is_blocked(spec.in[0], env) || !(spec.in[0].format == spec.out.format) ||
      !(spec.in[1].format == spec.out.format) || (spec.in.size() > 2 && !is_plain_f32(spec.in[2])))
    return nullptr;
  const AttentionSpec attention{blocked_shape(spec.in[0]), op.heads, is_bf16(spec.in[0]), env.threads, false,
                                blocked_shape(spec.in[1])};
  return std::make_unique<AttentionKernel>(attention, spec, env);
}

}  // namespace diffusion::cpu
