#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "device/cpu/onednn.h"
#include "device/cpu/onednn_call.h"

namespace diffusion::onednn {

namespace {

using Forward = dnnl::pooling_forward::primitive_desc;
using Backward = dnnl::pooling_backward::primitive_desc;

struct Geometry {
  dnnl::algorithm algorithm;
  memory::desc x, y;
  memory::dims strides, kernel, pad, no_dilation{0, 0};
};

#if DNNL_VERSION_MAJOR >= 3

Forward make_forward(const Geometry& g, bool training) {
  const auto prop = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return {engine(), prop,  g.algorithm,      g.x, g.y, g.strides, g.kernel, g.no_dilation,
          g.pad,    g.pad, user_scratchpad()};
}

Backward make_backward(const Geometry& g, const Forward& hint) {
  return {engine(),      g.algorithm, g.x,   g.y,  g.strides,        g.kernel,
          g.no_dilation, g.pad,       g.pad, hint, user_scratchpad()};
}

#else

Forward make_forward(const Geometry& g, bool training) {
  const auto prop = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return {{prop, g.algorithm, g.x, g.y, g.strides, g.kernel, g.pad, g.pad}, user_scratchpad(), engine()};
}

Backward make_backward(const Geometry& g, const Forward& hint) {
  return {{g.algorithm, g.x, g.y, g.strides, g.kernel, g.pad, g.pad}, user_scratchpad(), engine(), hint};
}

#endif

}  // namespace

struct Pooling::Impl {
  std::string implementation;
  std::size_t scratch_bytes = 0, saved_bytes = 0;
  bool saves;  // the place of each window's largest value
  std::optional<Call> forward, backward;

  explicit Impl(const PoolingSpec& s) : saves(s.training && s.kind == PoolingKind::max) {
    const Geometry g{.algorithm = s.kind == PoolingKind::max ? dnnl::algorithm::pooling_max
                                                             : dnnl::algorithm::pooling_avg_exclude_padding,
                     .x = activation_desc(s.in),
                     .y = activation_desc(s.out),
                     .strides = {s.stride, s.stride},
                     .kernel = {s.kernel, s.kernel},
                     .pad = {s.pad, s.pad}};
    const Forward forward_desc = make_forward(g, s.training);
    implementation = forward_desc.impl_info_str();
    scratch_bytes = padded_bytes(forward_desc.scratchpad_desc());
    forward.emplace(dnnl::pooling_forward(forward_desc));
    forward->argument(DNNL_ARG_SRC, g.x);
    forward->argument(DNNL_ARG_DST, g.y);
    forward->argument(DNNL_ARG_SCRATCHPAD, forward_desc.scratchpad_desc());
    if (saves) {
      saved_bytes = forward_desc.workspace_desc().get_size();
      forward->argument(DNNL_ARG_WORKSPACE, forward_desc.workspace_desc());
    }
    if (!s.training) return;
    const Backward backward_desc = make_backward(g, forward_desc);
    scratch_bytes = std::max(scratch_bytes, padded_bytes(backward_desc.scratchpad_desc()));
    backward.emplace(dnnl::pooling_backward(backward_desc));
    backward->argument(DNNL_ARG_DIFF_DST, g.y);
    backward->argument(DNNL_ARG_DIFF_SRC, g.x);
    backward->argument(DNNL_ARG_SCRATCHPAD, backward_desc.scratchpad_desc());
    if (saves) backward->argument(DNNL_ARG_WORKSPACE, backward_desc.workspace_desc());
  }
};

Pooling::Pooling(const PoolingSpec& spec) {
  const std::string what = fmt::format("windows of {0} x {0} of {1}", spec.kernel, to_string(spec.in.shape));
  try {
    impl_ = std::make_unique<Impl>(spec);
  } catch (const dnnl::error& e) {
    rethrow(e, what);
  }
}

Pooling::~Pooling() = default;

std::size_t Pooling::saved_bytes() const {
  return impl_->saved_bytes;
}

std::size_t Pooling::workspace_bytes() const {
  return impl_->scratch_bytes;
}

std::string_view Pooling::implementation() const {
  return impl_->implementation;
}

void Pooling::forward(const void* x, void* y, std::byte* saved, std::byte* workspace) {
  if (impl_->saves)
    impl_->forward->run({x, y, workspace, saved});
  else
    impl_->forward->run({x, y, workspace});
}

void Pooling::backward(const void* dy, void* dx, const std::byte* saved, std::byte* workspace) {
  if (impl_->saves)
    impl_->backward->run({dy, dx, workspace, saved});
  else
    impl_->backward->run({dy, dx, workspace});
}

}  // namespace diffusion::onednn
