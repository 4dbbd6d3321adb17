#pragma once

// How the CPU device makes a kernel for each op. A function returns nullptr where its fast form does not
// apply; the device then falls back on make_fallback(), which is right for everything and slow.

#include <functional>
#include <memory>

#include "device/cpu/kernels/table.h"
#include "device/kernel.h"
#include "device/update.h"

namespace diffusion::cpu {

// What all kernels of a device share.
struct Environment {
  const KernelTable* table;
  int threads;
  bool winograd = true;  // where it pays
};

std::unique_ptr<Kernel> make_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_winograd_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_upsample_conv(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_winograd_upsample_conv(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_tile_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_tile_conv_transpose(const ConvTranspose2d& op, const KernelSpec& spec,
                                                 const Environment& env);
std::unique_ptr<Kernel> make_tile_upsample_conv(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_depthwise_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_conv_transpose(const ConvTranspose2d& op, const KernelSpec& spec,
                                            const Environment& env);
std::unique_ptr<Kernel> make_linear(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_group_norm(const GroupNorm& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_attention(const Attention& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_cross_attention(const CrossAttention& op, const KernelSpec& spec,
                                             const Environment& env);
std::unique_ptr<Kernel> make_linear_attention(const LinearAttention& op, const KernelSpec& spec,
                                              const Environment& env);
std::unique_ptr<Kernel> make_channel_norm(const ChannelNorm& op, const KernelSpec& spec,
                                          const Environment& env);
std::unique_ptr<Kernel> make_activate(const Activate& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_gate(const Gate& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_add(const Add& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_concat(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_upsample(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_max_pool(const MaxPool& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_avg_pool(const AvgPool& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_halving(const AvgPool& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_timestep_embedding(const TimestepEmbedding& op, const KernelSpec& spec);
std::unique_ptr<Kernel> make_embedding(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_add_position(const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_dropout(const Dropout& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_fallback(const KernelSpec& spec);
// Of KernelSpec::weights_stay_in_files: nullptr for ops without such weights, and those of layers whose
// kernels read weights of any type as they are. `compile` makes a kernel of any op.
std::unique_ptr<Kernel> make_streamed(
    const KernelSpec& spec, const Environment& env,
    const std::function<std::unique_ptr<Kernel>(const KernelSpec&)>& compile);
std::unique_ptr<Kernel> make_streamed_conv(const Conv2d& op, const KernelSpec& spec, const Environment& env);
std::unique_ptr<Kernel> make_streamed_winograd(const KernelSpec& spec, WinogradForm form,
                                               const Environment& env);
std::unique_ptr<UpdateKernel> make_update(const UpdateSpec& spec, const Environment& env);

inline BlockedShape blocked_shape(const TensorDesc& t) {
  return {t.shape.n, t.shape.c, t.shape.pixels(), t.format.channel_block};
}
inline bool is_bf16(const TensorDesc& t) {
  return t.format.dtype == DType::bf16;
}
inline bool is_plain_f32(const TensorDesc& t) {
  return t.format == Format{DType::f32, 1};
}
// A parameter, of one of the types that files have.
inline StoredWeight stored_weight(const Tensor& t) {
  const DType type = t.desc.format.dtype;
  return {t.data, type == DType::bf16  ? WeightType::bf16
                  : type == DType::f16 ? WeightType::f16
                                       : WeightType::f32};
}
// Blocked in whole vectors of f32 or bf16: what the fused kernels take.
inline bool is_blocked(const TensorDesc& t, const Environment& env) {
  return t.format.dtype != DType::f64 && t.format.channel_block % env.table->lanes == 0;
}

// Cuts a byte area into aligned arrays.
class Carver {
 public:
  explicit Carver(std::byte* base) : at_(base) {}
  template <class T>
  T* take(std::size_t count) {
    T* result = reinterpret_cast<T*>(at_);
    at_ += padded(count * sizeof(T));
    return result;
  }
  static std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  std::byte* at_;
};

}  // namespace diffusion::cpu
