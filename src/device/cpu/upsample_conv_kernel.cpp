#include <memory>
#include <utility>
#include <vector>

#include "device/cpu/cpu_kernels.h"

namespace diffusion::cpu {

namespace {

// One after the other, the enlarged images in the workspace.
class EnlargeThenConvolve final : public Kernel {
 public:
  EnlargeThenConvolve(const KernelSpec& spec, const TensorDesc& enlarged, std::unique_ptr<Kernel> conv,
                      const Environment& env)
      : env_(env),
        small_(spec.in[0]),
        enlarged_(enlarged),
        training_(spec.mode == Mode::training),
        conv_(std::move(conv)) {}

  std::string_view implementation() const override { return conv_->implementation(); }
  std::size_t workspace_bytes() const override {
    return (training_ ? 2 : 1) * Carver::padded(enlarged_.bytes()) + conv_->workspace_bytes();
  }
  void load_params(std::span<const Tensor> in) override { conv_->load_params(in); }

  void forward(const ForwardArgs& a) override {
    const Workspace w = carve(a.workspace);
    enlarge(a.in[0].data, w.x);
    const std::vector<Tensor> in = with_first(a.in, w.x);
    conv_->forward({.in = in, .out = a.out, .workspace = w.rest, .context = a.context});
  }

  void backward(const BackwardArgs& a) override {
    const Workspace w = carve(a.workspace);
    if (a.mode[1] != GradMode::skip) enlarge(a.in[0].data, w.x);
    const std::vector<Tensor> in = with_first(a.in, w.x), din = with_first(a.din, w.dx);
    std::vector<GradMode> mode(a.mode.begin(), a.mode.end());
    if (mode[0] == GradMode::accumulate) mode[0] = GradMode::overwrite;
    conv_->backward({.in = in,
                     .out = a.out,
                     .dout = a.dout,
                     .din = din,
                     .mode = mode,
                     .workspace = w.rest,
                     .context = a.context});
    if (a.mode[0] == GradMode::skip) return;
    env_.table->downsample_sum(small_.shape.n * small_.blocks(), small_.shape.h, small_.shape.w,
                               small_.format.channel_block, is_bf16(small_), w.dx, a.din[0].data, 1.f,
                               a.mode[0] == GradMode::accumulate, env_.threads);
  }

 private:
  struct Workspace {
    std::byte *x, *dx, *rest;
  };
  Workspace carve(std::byte* workspace) const {
    const std::size_t bytes = Carver::padded(enlarged_.bytes());
    return {workspace, workspace + bytes, workspace + (training_ ? 2 : 1) * bytes};
  }
  std::vector<Tensor> with_first(std::span<const Tensor> tensors, std::byte* data) const {
    std::vector<Tensor> changed(tensors.begin(), tensors.end());
    changed[0] = {enlarged_, data};
    return changed;
  }
  void enlarge(const void* x, std::byte* enlarged) const {
    env_.table->upsample(small_.shape.n * small_.blocks(), small_.shape.h, small_.shape.w,
                         small_.format.channel_block, is_bf16(small_), x, enlarged, 1.f, false, env_.threads);
  }

  Environment env_;
  TensorDesc small_, enlarged_;
  bool training_;
  std::unique_ptr<Kernel> conv_;
};

}  // namespace

std::unique_ptr<Kernel> make_upsample_conv(const KernelSpec& spec, const Environment& env) {
  const bool streamed = spec.weights_stay_in_files;
  if (auto tiles = streamed ? nullptr : make_tile_upsample_conv(spec, env)) return tiles;
  if (auto winograd = make_winograd_upsample_conv(spec, env)) return winograd;
  const TensorDesc& x = spec.in[0];
  if (!is_blocked(x, env)) return nullptr;
  const TensorDesc enlarged{{x.shape.n, x.shape.c, 2 * x.shape.h, 2 * x.shape.w}, x.format};
  std::vector<TensorDesc> in(spec.in.begin(), spec.in.end());
  in[0] = enlarged;
  KernelSpec conv_spec = spec;
  conv_spec.op = Conv2d{1, 1, 1, 1, 1};
  conv_spec.in = in;
  const auto& op = std::get<Conv2d>(conv_spec.op);
  auto conv = streamed ? make_streamed_conv(op, conv_spec, env) : make_conv(op, conv_spec, env);
  if (!conv) return nullptr;
  return std::make_unique<EnlargeThenConvolve>(spec, enlarged, std::move(conv), env);
}

}  // namespace diffusion::cpu
