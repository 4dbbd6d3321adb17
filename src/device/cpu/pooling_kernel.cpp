#include "device/cpu/cpu_kernels.h"
#include "device/cpu/onednn.h"

namespace diffusion::cpu {

namespace {

using onednn::PoolingKind;

class PoolingKernel final : public Kernel {
 public:
  PoolingKernel(const onednn::PoolingSpec& pooling, const Environment& env)
      : env_(env), in_(pooling.in), pooling_(pooling) {}

  std::size_t saved_bytes() const override { return pooling_.saved_bytes(); }
  std::size_t workspace_bytes() const override {
    return Carver::padded(pooling_.workspace_bytes()) + in_.bytes();
  }
  std::string_view implementation() const override { return pooling_.implementation(); }

  void forward(const ForwardArgs& a) override {
    pooling_.forward(a.in[0].data, a.out.data, a.saved, a.workspace);
  }

  void backward(const BackwardArgs& a) override {
    if (a.mode[0] == GradMode::overwrite) pooling_.backward(a.dout.data, a.din[0].data, a.saved, a.workspace);
    if (a.mode[0] == GradMode::accumulate) {
      std::byte* fresh = a.workspace + Carver::padded(pooling_.workspace_bytes());
      pooling_.backward(a.dout.data, fresh, a.saved, a.workspace);
      env_.table->scale(in_.stored_elements(), is_bf16(in_), fresh, 1.f, a.din[0].data, true, env_.threads);
    }
  }

 private:
  Environment env_;
  TensorDesc in_;
  onednn::Pooling pooling_;
};

template <class Pool>
std::unique_ptr<Kernel> make_pooling(PoolingKind kind, const Pool& op, const KernelSpec& spec,
                                     const Environment& env) {
  if (!is_blocked(spec.in[0], env) || !(spec.in[0].format == spec.out.format)) return nullptr;
  return std::make_unique<PoolingKernel>(onednn::PoolingSpec{kind, op.kernel, op.stride, op.pad, spec.in[0],
                                                             spec.out, spec.mode == Mode::training},
                                         env);
}

}  // namespace

std::unique_ptr<Kernel> make_max_pool(const MaxPool& op, const KernelSpec& spec, const Environment& env) {
  return make_pooling(PoolingKind::max, op, spec, env);
}

std::unique_ptr<Kernel> make_avg_pool(const AvgPool& op, const KernelSpec& spec, const Environment& env) {
  if (auto halving = make_halving(op, spec, env)) return halving;
  return make_pooling(PoolingKind::mean, op, spec, env);
}

}  // namespace diffusion::cpu
