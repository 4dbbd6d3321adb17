#include "device/cpu/onednn.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/buffer.h"
#include "device/cpu/onednn_call.h"

namespace diffusion::onednn {

namespace {

struct Geometry {
  memory::desc x, y, bias;
  memory::desc weight_any, dweight_any;  // layout left to oneDNN
  memory::dims strides, pad_low, pad_high;
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;  // Winograd is our own
using Forward = dnnl::convolution_forward::primitive_desc;
using BackwardData = dnnl::convolution_backward_data::primitive_desc;
using BackwardWeights = dnnl::convolution_backward_weights::primitive_desc;

#if DNNL_VERSION_MAJOR >= 3

Forward make_forward(const Geometry& g, bool training, bool bias) {
  const auto prop = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  if (bias)
    return {engine(), prop,      kDirect,   g.x,        g.weight_any,     g.bias,
            g.y,      g.strides, g.pad_low, g.pad_high, user_scratchpad()};
  return {engine(), prop,      kDirect,   g.x,        g.weight_any,
          g.y,      g.strides, g.pad_low, g.pad_high, user_scratchpad()};
}

BackwardData make_backward_data(const Geometry& g, const Forward& hint) {
  return {engine(),  kDirect,   g.x,        g.weight_any, g.y,
          g.strides, g.pad_low, g.pad_high, hint,         user_scratchpad()};
}

BackwardWeights make_backward_weights(const Geometry& g, bool bias, const Forward& hint) {
  if (bias)
    return {engine(),  kDirect,   g.x,        g.dweight_any, g.bias,           g.y,
            g.strides, g.pad_low, g.pad_high, hint,          user_scratchpad()};
  return {engine(),  kDirect,   g.x,        g.dweight_any, g.y,
          g.strides, g.pad_low, g.pad_high, hint,          user_scratchpad()};
}

#else

Forward make_forward(const Geometry& g, bool training, bool bias) {
  const auto prop = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  if (bias)
    return {{prop, kDirect, g.x, g.weight_any, g.bias, g.y, g.strides, g.pad_low, g.pad_high},
            user_scratchpad(),
            engine()};
  return {
      {prop, kDirect, g.x, g.weight_any, g.y, g.strides, g.pad_low, g.pad_high}, user_scratchpad(), engine()};
}

BackwardData make_backward_data(const Geometry& g, const Forward& hint) {
  return {
      {kDirect, g.x, g.weight_any, g.y, g.strides, g.pad_low, g.pad_high}, user_scratchpad(), engine(), hint};
}

BackwardWeights make_backward_weights(const Geometry& g, bool bias, const Forward& hint) {
  if (bias)
    return {{kDirect, g.x, g.dweight_any, g.bias, g.y, g.strides, g.pad_low, g.pad_high},
            user_scratchpad(),
            engine(),
            hint};
  return {{kDirect, g.x, g.dweight_any, g.y, g.strides, g.pad_low, g.pad_high},
          user_scratchpad(),
          engine(),
          hint};
}

#endif

// Copies between layouts; `add` adds to what is there.
Call reorder(const memory::desc& from, const memory::desc& to, bool add) {
  dnnl::primitive_attr attr;
  if (add) {
    dnnl::post_ops sum;
    sum.append_sum(1.f);
    attr.set_post_ops(sum);
  }
  Call call(dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to, attr)));
  call.argument(DNNL_ARG_FROM, from);
  call.argument(DNNL_ARG_TO, to);
  return call;
}

// An activation or its gradient, in our layout and as the convolution wants it: the same, or a copy with
// channels last.
class Operand {
 public:
  explicit Operand(const TensorDesc& t) : ours_(activation_desc(t)), wanted_(ours_) {}

  void want_channels_last(const TensorDesc& t) {
    wanted_ = memory::desc({t.shape.n, t.shape.c, t.shape.h, t.shape.w}, type_of(t.format.dtype), tag::nhwc);
    copy_in_ = reorder(ours_, wanted_, false);
    copy_out_ = reorder(wanted_, ours_, false);
  }

  const memory::desc& desc() const { return wanted_; }
  std::size_t copy_bytes() const { return copy_in_ ? padded_bytes(wanted_) : 0; }

  // Where the convolution finds what `ours` holds.
  const void* read(const void* ours, std::byte* copy) {
    if (!copy_in_) return ours;
    copy_in_->run({ours, copy});
    return copy;
  }
  // Where the convolution writes; written() brings that to `ours`.
  void* write(void* ours, std::byte* copy) { return copy_out_ ? copy : ours; }
  void written(void* ours, const std::byte* copy) {
    if (copy_out_) copy_out_->run({copy, ours});
  }

 private:
  memory::desc ours_, wanted_;
  std::optional<Call> copy_in_, copy_out_;
};

bool is_plain_loop(const Forward& forward) {
  return std::string_view(forward.impl_info_str()).starts_with("ref");
}

}  // namespace

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
}

struct Convolution::Impl {
  ConvolutionSpec spec;
  Operand x, y;
  memory::desc plain_weight;
  std::string implementation;
  std::size_t scratch_bytes = 0, dweight_bytes = 0, packed_bytes = 0;

  std::optional<Call> forward, backward_data, backward_weights, pack_forward, pack_backward, unpack_dweight;
  Buffer<std::byte> forward_weight, backward_weight;  // packed; the second is empty if the layouts agree

  explicit Impl(const ConvolutionSpec& s) : spec(s), x(s.in), y(s.out) {
    const Shape& w = s.weight;
    const std::int64_t groups = s.op.groups;
    const memory::dims weight_dims =
        groups == 1 ? memory::dims{w.n, w.c, w.h, w.w} : memory::dims{groups, w.n / groups, w.c, w.h, w.w};
    Geometry g;
    g.x = x.desc();
    g.y = y.desc();
    g.bias = memory::desc({w.n}, data_type::f32, tag::a);
    g.weight_any = memory::desc(weight_dims, type_of(s.in.format.dtype), tag::any);
    g.dweight_any = memory::desc(weight_dims, data_type::f32, tag::any);
    g.strides = {s.op.stride, s.op.stride};
    g.pad_low = {s.op.pad_top, s.op.pad_left};
    g.pad_high = {s.op.pad_bottom, s.op.pad_right};
    plain_weight = memory::desc(weight_dims, data_type::f32, groups == 1 ? tag::oihw : tag::goihw);

    auto forward_desc = make_forward(g, s.training, s.has_bias);
    // On CPUs other than x86-64 oneDNN has but a plain loop for channel blocks, and for channels-last a
    // matrix product, which is some twenty times as fast.
    if (is_plain_loop(forward_desc)) {
      x.want_channels_last(s.in);
      y.want_channels_last(s.out);
      g.x = x.desc();
      g.y = y.desc();
      forward_desc = make_forward(g, s.training, s.has_bias);
    }
    implementation = forward_desc.impl_info_str();
    forward.emplace(dnnl::convolution_forward(forward_desc));
    forward->argument(DNNL_ARG_SRC, g.x);
    forward->argument(DNNL_ARG_WEIGHTS, forward_desc.weights_desc());
    forward->argument(DNNL_ARG_DST, g.y);
    forward->argument(DNNL_ARG_SCRATCHPAD, forward_desc.scratchpad_desc());
    if (s.has_bias) forward->argument(DNNL_ARG_BIAS, g.bias);
    use_scratch(forward_desc.scratchpad_desc());
    packed_bytes = forward_desc.weights_desc().get_size();
    if (s.keeps_weights) forward_weight = Buffer<std::byte>(packed_bytes);
    pack_forward = reorder(plain_weight, forward_desc.weights_desc(), false);
    if (!s.training) return;

    if (s.needs_input_grad) {
      const auto desc = make_backward_data(g, forward_desc);
      backward_data.emplace(dnnl::convolution_backward_data(desc));
      backward_data->argument(DNNL_ARG_DIFF_DST, g.y);
      backward_data->argument(DNNL_ARG_WEIGHTS, desc.weights_desc());
      backward_data->argument(DNNL_ARG_DIFF_SRC, g.x);
      backward_data->argument(DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc());
      use_scratch(desc.scratchpad_desc());
      if (desc.weights_desc() != forward_desc.weights_desc()) {
        backward_weight = Buffer<std::byte>(desc.weights_desc().get_size());
        pack_backward = reorder(plain_weight, desc.weights_desc(), false);
      }
    }
    if (!s.needs_weight_grad) return;
    const auto desc = make_backward_weights(g, s.has_bias, forward_desc);
    backward_weights.emplace(dnnl::convolution_backward_weights(desc));
    backward_weights->argument(DNNL_ARG_SRC, g.x);
    backward_weights->argument(DNNL_ARG_DIFF_DST, g.y);
    backward_weights->argument(DNNL_ARG_DIFF_WEIGHTS, desc.diff_weights_desc());
    backward_weights->argument(DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc());
    if (s.has_bias) backward_weights->argument(DNNL_ARG_DIFF_BIAS, g.bias);
    use_scratch(desc.scratchpad_desc());
    dweight_bytes = padded_bytes(desc.diff_weights_desc());
    unpack_dweight = reorder(desc.diff_weights_desc(), plain_weight, true);
  }

  void use_scratch(const memory::desc& desc) { scratch_bytes = std::max(scratch_bytes, padded_bytes(desc)); }

  // The workspace: scratch, gradients of weight and bias, copies.
  std::size_t dbias_bytes() const { return (std::size_t(spec.weight.n) * sizeof(float) + 63) / 64 * 64; }
  std::byte* x_copy(std::byte* workspace) const {
    return workspace + scratch_bytes + dweight_bytes + dbias_bytes();
  }
  std::byte* y_copy(std::byte* workspace) const { return x_copy(workspace) + x.copy_bytes(); }
};

Convolution::Convolution(const ConvolutionSpec& spec) {
  const std::string what =
      fmt::format("a convolution of {} with {}", to_string(spec.in.shape), to_string(spec.weight));
  try {
    impl_ = std::make_unique<Impl>(spec);
  } catch (const dnnl::error& e) {
    rethrow(e, what);
  }
}

Convolution::~Convolution() = default;

std::size_t Convolution::workspace_bytes() const {
  return impl_->scratch_bytes + impl_->dweight_bytes + impl_->dbias_bytes() + impl_->x.copy_bytes() +
         impl_->y.copy_bytes();
}

std::string_view Convolution::implementation() const {
  return impl_->implementation;
}

void Convolution::load_weights(const float* weight) {
  impl_->pack_forward->run({weight, impl_->forward_weight.data()});
  if (impl_->pack_backward) impl_->pack_backward->run({weight, impl_->backward_weight.data()});
}

std::size_t Convolution::packed_weight_bytes() const {
  return impl_->packed_bytes;
}

void Convolution::pack_weights(const float* weight, std::byte* packed) {
  impl_->pack_forward->run({weight, packed});
}

void Convolution::forward(const void* x, const float* bias, void* y, std::byte* workspace) {
  forward(x, impl_->forward_weight.data(), bias, y, workspace);
}

void Convolution::forward(const void* x, const std::byte* weight, const float* bias, void* y,
                          std::byte* workspace) {
  std::byte* y_copy = impl_->y_copy(workspace);
  const void* source = impl_->x.read(x, impl_->x_copy(workspace));
  void* target = impl_->y.write(y, y_copy);
  if (impl_->spec.has_bias)
    impl_->forward->run({source, weight, target, workspace, bias});
  else
    impl_->forward->run({source, weight, target, workspace});
  impl_->y.written(y, y_copy);
}

void Convolution::backward_data(const void* dy, void* dx, std::byte* workspace) {
  std::byte* x_copy = impl_->x_copy(workspace);
  const void* source = impl_->y.read(dy, impl_->y_copy(workspace));
  const auto& packed = impl_->pack_backward ? impl_->backward_weight : impl_->forward_weight;
  impl_->backward_data->run({source, packed.data(), impl_->x.write(dx, x_copy), workspace});
  impl_->x.written(dx, x_copy);
}

void Convolution::backward_weights(const void* x, const void* dy, float* dweight, float* dbias,
                                   std::byte* workspace) {
  const void* input = impl_->x.read(x, impl_->x_copy(workspace));
  const void* gradient = impl_->y.read(dy, impl_->y_copy(workspace));
  std::byte* packed = workspace + impl_->scratch_bytes;
  auto* bias = reinterpret_cast<float*>(packed + impl_->dweight_bytes);
  if (impl_->spec.has_bias)
    impl_->backward_weights->run({input, gradient, packed, workspace, bias});
  else
    impl_->backward_weights->run({input, gradient, packed, workspace});
  impl_->unpack_dweight->run({packed, dweight});
  if (impl_->spec.has_bias)
    for (std::int64_t c = 0; c < impl_->spec.weight.n; ++c) dbias[c] += bias[c];
}

}  // namespace diffusion::onednn
