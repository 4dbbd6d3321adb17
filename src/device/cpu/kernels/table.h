#pragma once

// The numeric loops of the CPU device. Every file of this folder is compiled once per instruction set, each
// time into a namespace of its own; the device picks one table at run time.
//
// Because the linker keeps only one copy of an inline function or template of the standard library, and that
// copy must run on every CPU, these files use plain pointers and no such templates (scripts/check looks for
// leaks).
//
// Channel-blocked tensors are [N, blocks, pixels, block] with zero channels at the end (base/tensor.h).
// `bf16` says whether activations are bf16, else f32. All loops give the same bits for any number of threads,
// except those that say otherwise, which give the same bits for the same number.

#include <cstddef>
#include <cstdint>

#include "graph/activation.h"

namespace diffusion {

struct BlockedShape {
  std::int64_t n = 0, channels = 0, pixels = 0;
  int block = 1;
  std::int64_t stored_channels() const { return (channels + block - 1) / block * block; }
  std::int64_t sample_elements() const { return stored_channels() * pixels; }
};

// graph/ops.h, GroupNorm.
struct GroupNormSpec {
  BlockedShape shape;
  int groups = 1;
  double eps = 0;
  Activation activation = Activation::none;
  Modulation modulation = Modulation::none;
  bool bf16 = false;
  int threads = 1;
};
struct GroupNormForward {
  const void* x;
  const float *gamma, *beta, *modulation;
  void* y;
  float* stats;      // [N, groups, 2]: mean, 1 / standard deviation
  float* workspace;  // group_norm_forward_workspace() floats
};
struct GroupNormBackward {
  const void *x, *dy;
  const float *gamma, *beta, *modulation, *stats;
  void* dx;  // may be null
  bool accumulate_dx;
  float *dgamma, *dbeta;  // added to; may be null
  float* dmodulation;     // may be null
  bool accumulate_dmodulation;
  float* workspace;  // group_norm_backward_workspace() floats
};

// graph/ops.h, ChannelNorm.
struct ChannelNormSpec {
  BlockedShape shape;
  double eps = 0;
  bool bf16 = false;
  int threads = 1;
};
struct ChannelNormGrad {
  void* dx;  // may be null
  bool accumulate_dx;
  float *dgain, *dbias;  // added to; may be null. Same bits for the same number of threads
};

// graph/ops.h, Attention, CrossAttention and LinearAttention.
struct AttentionSpec {
  BlockedShape qkv;  // channels = 3 heads head_dim; CrossAttention: of q alone
  int heads = 1;
  bool bf16 = false;
  int threads = 1;
  bool causal = false;   // Attention
  BlockedShape kv = {};  // CrossAttention, else n = 0

  bool crosses() const { return kv.n != 0; }
  const BlockedShape& keys() const { return crosses() ? kv : qkv; }  // where keys and values are
};
// Self-attention: both are qkv. mask: [N, tokens], 0 for what is not seen; may be null.
struct AttentionInput {
  const void *q, *kv;
  const float* mask = nullptr;
};
// Of the tensors of AttentionInput, so for self-attention both are the same; either may be null.
struct AttentionGrad {
  void *dq, *dkv;
  bool accumulate_dq, accumulate_dkv;
};

// A convolution with stride 1 between a plain f32 tensor of few channels ("narrow") and a blocked one
// ("wide"). Weights are packed as [narrow channel][kernel row][kernel column][stored wide channels].
struct NarrowConvSpec {
  BlockedShape wide;  // pixels = height * width of the wide side
  std::int64_t narrow_channels = 1;
  std::int64_t wide_height = 0, wide_width = 0, narrow_height = 0, narrow_width = 0;
  int kernel_height = 1, kernel_width = 1;
  int pad_top = 0, pad_left = 0;  // of the narrow tensor as seen from the wide one
  bool bf16 = false;
  int threads = 1;
};

// A convolution with one odd, square kernel (3, 5 or 7) per channel that keeps the size.
struct DepthwiseSpec {
  BlockedShape shape;
  std::int64_t height = 0, width = 0;
  int kernel = 3, pad = 1;
  bool bf16 = false;
  int threads = 1;
};

// A 3x3 convolution from x to y with stride 1 and a border of 1, both blocked and of this height and width;
// enlarging: x is half as high and wide, and enlarged before by nearest neighbor; shrinking: the transpose of
// that, so y is half as high and wide.
enum class WinogradForm { plain, enlarging, shrinking };
struct WinogradSpec {
  BlockedShape x, y;
  std::int64_t height = 0, width = 0;
  int threads = 1;
  WinogradForm form = WinogradForm::plain;
};

// Numbers of a weight in the layout of checkpoints, as a file has them: aligned for their type alone.
enum class WeightType : std::uint8_t { f32, bf16, f16 };
struct StoredWeight {
  const void* data = nullptr;
  WeightType type = WeightType::f32;
};

// A convolution with 1x1 kernels from x to y, both blocked bf16.
struct PointwiseSpec {
  BlockedShape x, y;
  int threads = 1;
};

// A convolution from x to y, bf16 with 16 channels a block: kernels up to 7x7, stride 1 or 2.
struct TileConvSpec {
  BlockedShape x, y;
  std::int64_t x_height = 0, x_width = 0, y_height = 0, y_width = 0;
  int kernel_height = 1, kernel_width = 1, stride = 1;
  int pad_top = 0, pad_left = 0;
  int threads = 1;
};

struct AdamWSpec {
  double learning_rate, beta1, beta2, eps, weight_decay;
  double gradient_scale;            // applied to every gradient first (clipping, averaging)
  double correction1, correction2;  // 1 - beta^step
  double ema_decay;                 // ema = ema_decay * ema + (1 - ema_decay) * value
};

struct KernelTable {
  int lanes;  // floats in a vector

  std::size_t (*group_norm_forward_workspace)(const GroupNormSpec&);
  std::size_t (*group_norm_backward_workspace)(const GroupNormSpec&);
  void (*group_norm_forward)(const GroupNormSpec&, const GroupNormForward&);
  // dgamma and dbeta: same bits for the same number of threads.
  void (*group_norm_backward)(const GroupNormSpec&, const GroupNormBackward&);

  std::size_t (*attention_workspace)(const AttentionSpec&, bool backward);  // floats
  // log_sum_exp [N, heads, queries], for the backward alone (its base is the function's own); may be null.
  void (*attention_forward)(const AttentionSpec&, const AttentionInput&, void* out, float* log_sum_exp,
                            float* workspace);
  void (*attention_backward)(const AttentionSpec&, const AttentionInput&, const void* out,
                             const float* log_sum_exp, const void* dout, const AttentionGrad&,
                             float* workspace);

  std::size_t (*linear_attention_workspace)(const AttentionSpec&);  // floats, either direction
  void (*linear_attention_forward)(const AttentionSpec&, const void* qkv, void* out, float* workspace);
  void (*linear_attention_backward)(const AttentionSpec&, const void* qkv, const void* dout, void* dqkv,
                                    bool accumulate, float* workspace);

  std::size_t (*channel_norm_workspace)(const ChannelNormSpec&);  // floats, either direction
  // bias may be null.
  void (*channel_norm_forward)(const ChannelNormSpec&, const void* x, const float* gain, const float* bias,
                               void* y, float* workspace);
  void (*channel_norm_backward)(const ChannelNormSpec&, const void* x, const float* gain, const void* dy,
                                const ChannelNormGrad&, float* workspace);

  // wide[o] (+)= bias + sum over narrow channels and taps.
  void (*narrow_to_wide)(const NarrowConvSpec&, const float* narrow, const float* packed, const float* bias,
                         void* wide, bool accumulate, float* workspace);
  // narrow = bias + sum over wide channels and taps (taps applied as in a convolution of the wide tensor).
  void (*wide_to_narrow)(const NarrowConvSpec&, const void* wide, const float* packed, const float* bias,
                         float* narrow, bool accumulate);
  // packed gradient of narrow_to_wide, and the sum of wide over samples and pixels; both overwritten. Same
  // bits for the same number of threads.
  void (*narrow_weight_grad)(const NarrowConvSpec&, const float* narrow, const void* wide, float* dpacked,
                             float* wide_sum, float* workspace);
  std::size_t (*narrow_workspace)(const NarrowConvSpec&);  // floats

  // Added to dweight [channels, kernel, kernel] and dbias [channels], which may be null. Same bits for the
  // same number of threads.
  void (*depthwise_weight_grad)(const DepthwiseSpec&, const void* x, const void* dy, float* dweight,
                                float* dbias, float* workspace);
  std::size_t (*depthwise_workspace)(const DepthwiseSpec&);  // floats

  // Winograd's F(4x4, 3x3) in f32, in the plain form. weight: [y channels, x channels, 3, 3]; mirrored: [x
  // channels, y channels, 3, 3] of the convolution from y to x, whose input gradient this one is then.
  std::size_t (*winograd_f32_packed_floats)(const WinogradSpec&);
  void (*winograd_f32_pack)(const WinogradSpec&, const float* weight, bool mirrored, float* packed);
  std::size_t (*winograd_f32_forward_workspace)(const WinogradSpec&);  // floats
  // bias: [stored y channels], may be null.
  void (*winograd_f32_forward)(const WinogradSpec&, const float* x, const float* packed, const float* bias,
                               float* y, bool accumulate, float* workspace);
  // Added to dweight [y channels, x channels, 3, 3] and dbias [y channels], which may be null. Same bits for
  // the same number of threads.
  std::size_t (*winograd_f32_weight_grad_workspace)(const WinogradSpec&);  // floats
  void (*winograd_f32_weight_grad)(const WinogradSpec&, const float* x, const float* dy, float* dweight,
                                   float* dbias, float* workspace);

  // The same in F(2x2, 3x3) for bf16 feature maps, in all forms (weight_grad: not shrinking). All null where
  // the CPU does not multiply pairs of bf16.
  std::size_t (*winograd_bf16_packed_pairs)(const WinogradSpec&);
  void (*winograd_bf16_pack)(const WinogradSpec&, const float* weight, bool mirrored, std::uint32_t* packed);
  std::size_t (*winograd_bf16_forward_workspace)(const WinogradSpec&);  // bytes
  void (*winograd_bf16_forward)(const WinogradSpec&, const void* x, const std::uint32_t* packed,
                                const float* bias, void* y, bool accumulate, std::byte* workspace);
  std::size_t (*winograd_bf16_weight_grad_workspace)(const WinogradSpec&);  // bytes
  void (*winograd_bf16_weight_grad)(const WinogradSpec&, const void* x, const void* dy, float* dweight,
                                    float* dbias, std::byte* workspace);

  // Inference with weights as a file has them. Each is unpacked in the cache when it is multiplied, or whole
  // in the workspace where many pixels share it.
  void (*widen)(std::int64_t count, const StoredWeight& from, float* to, int threads);
  // y[rows, out] = x[rows, in] weight[out, in]^T, the same bits as gemm().
  void (*streamed_linear)(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                          const StoredWeight& weight, float* y, int threads);
  // bf16 feature maps; null where the CPU does not multiply pairs of bf16. bias: [stored y channels], may be
  // null. Winograd: plain and enlarging, the same bits as winograd_bf16_forward().
  std::size_t (*streamed_pointwise_workspace)(const PointwiseSpec&);  // bytes
  void (*streamed_pointwise)(const PointwiseSpec&, const void* x, const StoredWeight& weight,
                             const float* bias, void* y, std::byte* workspace);
  std::size_t (*streamed_winograd_workspace)(const WinogradSpec&);  // bytes
  void (*streamed_winograd)(const WinogradSpec&, const void* x, const StoredWeight& weight, const float* bias,
                            void* y, std::byte* workspace);

  // Convolutions in products of tiles (AMX); all null where the CPU has none. weight: [y channels, x
  // channels, height, width]. `transposed` is the input gradient: from y to x.
  std::size_t (*tile_conv_packed_values)(const TileConvSpec&, bool transposed);
  void (*tile_conv_pack)(const TileConvSpec&, bool transposed, const float* weight, std::uint16_t* packed);
  std::size_t (*tile_conv_workspace)(const TileConvSpec&, bool transposed);  // bytes
  // bias: [stored channels of `to`], may be null.
  void (*tile_conv)(const TileConvSpec&, bool transposed, const void* from, const std::uint16_t* packed,
                    const float* bias, void* to, bool accumulate, std::byte* workspace);
  // Added to dweight, and the sums of the channels of x and dy to the others, which may be null. Same bits
  // for the same number of threads.
  std::size_t (*tile_conv_weight_grad_workspace)(const TileConvSpec&);  // bytes
  void (*tile_conv_weight_grad)(const TileConvSpec&, const void* x, const void* dy, float* dweight,
                                float* x_sums, float* dy_sums, std::byte* workspace);

  // c[m, n] (+)= sum_k a[m * row_stride + k * column_stride] * b[k * ldb + n]; n is a multiple of `lanes`.
  void (*gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t row_stride,
               std::int64_t column_stride, const float* b, std::int64_t ldb, float* c, std::int64_t ldc,
               bool accumulate);

  // Arithmetic in registers on one thread, with 2 `lanes` numbers of data to start from and to leave a result
  // in; returns the number of multiplications and additions. bf16: null where the CPU does not multiply
  // pairs.
  double (*multiply_adds_f32)(std::int64_t rounds, float* data);
  double (*multiply_adds_bf16)(std::int64_t rounds, float* data);

  // Flat loops over `count` stored elements.
  void (*add)(std::int64_t count, bool bf16, const void* a, const void* b, float scale, void* out,
              int threads);
  void (*scale)(std::int64_t count, bool bf16, const void* from, float scale, void* to, bool accumulate,
                int threads);
  void (*activate)(std::int64_t count, bool bf16, Activation, const void* x, void* y, int threads);
  void (*activate_backward)(std::int64_t count, bool bf16, Activation, const void* x, const void* dy,
                            void* dx, bool accumulate, int threads);
  // graph/ops.h, Gate: samples of 2 `half` elements become samples of `half`, a multiple of `lanes`.
  void (*gate)(std::int64_t samples, std::int64_t half, bool bf16, Activation, const void* x, void* y,
               int threads);
  void (*gate_backward)(std::int64_t samples, std::int64_t half, bool bf16, Activation, const void* x,
                        const void* dy, void* dx, bool accumulate, int threads);

  // `planes` images of [height, width, block]; small is half the size of large in each direction.
  void (*upsample)(std::int64_t planes, std::int64_t height, std::int64_t width, int block, bool bf16,
                   const void* small, void* large, float scale, bool accumulate, int threads);
  void (*downsample_sum)(std::int64_t planes, std::int64_t height, std::int64_t width, int block, bool bf16,
                         const void* large, void* small, float scale, bool accumulate, int threads);

  void (*to_bf16)(std::int64_t count, const float* from, std::uint16_t* to);
  double (*sum_of_squares)(std::int64_t count, const float* x,
                           int threads);  // same bits for any thread count
  void (*adamw)(const AdamWSpec&, std::int64_t count, const float* gradient, float* value, float* moment1,
                float* moment2, float* ema, int threads);
};

namespace baseline {
const KernelTable& kernel_table();
}
namespace avx2 {
const KernelTable& kernel_table();
}
namespace avx512 {
const KernelTable& kernel_table();
}
namespace avx512_bf16 {
const KernelTable& kernel_table();
}
namespace amx_bf16 {
const KernelTable& kernel_table();
}

}  // namespace diffusion
