#include <algorithm>

#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

class GroupNormKernel final : public Kernel {
 public:
  GroupNormKernel(const GroupNorm& op, const KernelSpec& spec, const Environment& env)
      : table_(env.table),
        spec_{blocked_shape(spec.out), op.groups,         op.eps,     op.activation,
              op.modulation,           is_bf16(spec.out), env.threads},
        training_(spec.mode == Mode::training) {}

  std::string_view implementation() const override { return "fused"; }
  std::size_t saved_bytes() const override { return training_ ? stats_bytes() : 0; }
  std::size_t workspace_bytes() const override {
    const std::size_t forward = table_->group_norm_forward_workspace(spec_) * sizeof(float) + stats_bytes();
    return training_ ? std::max(forward, table_->group_norm_backward_workspace(spec_) * sizeof(float))
                     : forward;
  }

  void forward(const ForwardArgs& a) override {
    Carver carver(a.workspace);
    auto* scratch_stats = carver.take<float>(stats_bytes() / sizeof(float));
    table_->group_norm_forward(
        spec_,
        {a.in[0].data, a.in[1].as<float>(), a.in[2].as<float>(), modulated() ? a.in[3].as<float>() : nullptr,
         a.out.data, training_ ? reinterpret_cast<float*>(a.saved) : scratch_stats, carver.take<float>(0)});
  }

  void backward(const BackwardArgs& a) override {
    const bool wants_modulation = modulated() && a.mode[3] != GradMode::skip;
    table_->group_norm_backward(
        spec_,
        {a.in[0].data, a.dout.data, a.in[1].as<float>(), a.in[2].as<float>(),
         modulated() ? a.in[3].as<float>() : nullptr, reinterpret_cast<const float*>(a.saved),
         a.mode[0] == GradMode::skip ? nullptr : a.din[0].data, a.mode[0] == GradMode::accumulate,
         a.mode[1] == GradMode::skip ? nullptr : a.din[1].as<float>(),
         a.mode[2] == GradMode::skip ? nullptr : a.din[2].as<float>(),
         wants_modulation ? a.din[3].as<float>() : nullptr,
         wants_modulation && a.mode[3] == GradMode::accumulate, reinterpret_cast<float*>(a.workspace)});
  }

 private:
  bool modulated() const { return spec_.modulation != Modulation::none; }
  std::size_t stats_bytes() const {
    return Carver::padded(std::size_t(spec_.shape.n * spec_.groups * 2) * sizeof(float));
  }

  const KernelTable* table_;
  GroupNormSpec spec_;
  bool training_;
};

class ChannelNormKernel final : public Kernel {
 public:
  ChannelNormKernel(const ChannelNorm& op, const KernelSpec& spec, const Environment& env)
      : table_(env.table), spec_{blocked_shape(spec.out), op.eps, is_bf16(spec.out), env.threads} {}

  std::string_view implementation() const override { return "fused"; }
  std::size_t workspace_bytes() const override {
    return table_->channel_norm_workspace(spec_) * sizeof(float);
  }

  void forward(const ForwardArgs& a) override {
    table_->channel_norm_forward(spec_, a.in[0].data, a.in[1].as<float>(),
                                 a.in.size() > 2 ? a.in[2].as<float>() : nullptr, a.out.data,
                                 reinterpret_cast<float*>(a.workspace));
  }

  void backward(const BackwardArgs& a) override {
    const auto wanted = [&](std::size_t k) { return k < a.din.size() && a.mode[k] != GradMode::skip; };
    table_->channel_norm_backward(
        spec_, a.in[0].data, a.in[1].as<float>(), a.dout.data,
        {wanted(0) ? a.din[0].data : nullptr, a.mode[0] == GradMode::accumulate,
         wanted(1) ? a.din[1].as<float>() : nullptr, wanted(2) ? a.din[2].as<float>() : nullptr},
        reinterpret_cast<float*>(a.workspace));
  }

 private:
  const KernelTable* table_;
  ChannelNormSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> make_channel_norm(const ChannelNorm& op, const KernelSpec& spec,
                                          const Environment& env) {
  if (!is_blocked(spec.out, env) || !(spec.in[0] == spec.out)) return nullptr;
  return std::make_unique<ChannelNormKernel>(op, spec, env);
}

std::unique_ptr<Kernel> make_group_norm(const GroupNorm& op, const KernelSpec& spec, const Environment& env) {
  if (!is_blocked(spec.out, env) || !(spec.in[0] == spec.out)) return nullptr;
  if (op.modulation != Modulation::none && !is_plain_f32(spec.in[3])) return nullptr;
  return std::make_unique<GroupNormKernel>(op, spec, env);
}

}  // namespace diffusion::cpu
