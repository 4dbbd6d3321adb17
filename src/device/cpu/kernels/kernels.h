#pragma once

// Declarations that kernels.cpp collects in a table; one implementation per instruction set.

#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA {

std::size_t group_norm_forward_workspace(const GroupNormSpec& spec);
std::size_t group_norm_backward_workspace(const GroupNormSpec& spec);
void group_norm_forward(const GroupNormSpec& spec, const GroupNormForward& f);
void group_norm_backward(const GroupNormSpec& spec, const GroupNormBackward& b);

std::size_t attention_workspace(const AttentionSpec& spec, bool backward);
void attention_forward(const AttentionSpec& spec, const AttentionInput& in, void* out, float* log_sum_exp,
                       float* workspace);
void attention_backward(const AttentionSpec& spec, const AttentionInput& in, const void* out,
                        const float* log_sum_exp, const void* dout, const AttentionGrad& grad,
                        float* workspace);

std::size_t linear_attention_workspace(const AttentionSpec& spec);
void linear_attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* workspace);
void linear_attention_backward(const AttentionSpec& spec, const void* qkv, const void* dout, void* dqkv,
                               bool accumulate, float* workspace);

std::size_t channel_norm_workspace(const ChannelNormSpec& spec);
void channel_norm_forward(const ChannelNormSpec& spec, const void* x, const float* gain, const float* bias,
                          void* y, float* workspace);
void channel_norm_backward(const ChannelNormSpec& spec, const void* x, const float* gain, const void* dy,
                           const ChannelNormGrad& grad, float* workspace);

std::size_t narrow_workspace(const NarrowConvSpec& spec);
void narrow_to_wide(const NarrowConvSpec& spec, const float* narrow, const float* packed, const float* bias,
                    void* wide, bool accumulate, float* workspace);
void wide_to_narrow(const NarrowConvSpec& spec, const void* wide, const float* packed, const float* bias,
                    float* narrow, bool accumulate);
void narrow_weight_grad(const NarrowConvSpec& spec, const float* narrow, const void* wide, float* dpacked,
                        float* wide_sum, float* workspace);

std::size_t depthwise_workspace(const DepthwiseSpec& spec);
void depthwise_weight_grad(const DepthwiseSpec& spec, const void* x, const void* dy, float* dweight,
                           float* dbias, float* workspace);

std::size_t winograd_f32_packed_floats(const WinogradSpec& spec);
void winograd_f32_pack(const WinogradSpec& spec, const float* weight, bool mirrored, float* packed);
std::size_t winograd_f32_forward_workspace(const WinogradSpec& spec);
void winograd_f32_forward(const WinogradSpec& spec, const float* x, const float* packed, const float* bias,
                          float* y, bool accumulate, float* workspace);
std::size_t winograd_f32_weight_grad_workspace(const WinogradSpec& spec);
void winograd_f32_weight_grad(const WinogradSpec& spec, const float* x, const float* dy, float* dweight,
                              float* dbias, float* workspace);

// AVX512-BF16 only.
std::size_t winograd_bf16_packed_pairs(const WinogradSpec& spec);
void winograd_bf16_pack(const WinogradSpec& spec, const float* weight, bool mirrored, std::uint32_t* packed);
std::size_t winograd_bf16_forward_workspace(const WinogradSpec& spec);
void winograd_bf16_forward(const WinogradSpec& spec, const void* x, const std::uint32_t* packed,
                           const float* bias, void* y, bool accumulate, std::byte* workspace);
std::size_t winograd_bf16_weight_grad_workspace(const WinogradSpec& spec);
void winograd_bf16_weight_grad(const WinogradSpec& spec, const void* x, const void* dy, float* dweight,
                               float* dbias, std::byte* workspace);

void widen(std::int64_t count, const StoredWeight& from, float* to, int threads);
void streamed_linear(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                     const StoredWeight& weight, float* y, int threads);
// AVX512-BF16 only.
std::size_t streamed_pointwise_workspace(const PointwiseSpec& spec);
void streamed_pointwise(const PointwiseSpec& spec, const void* x, const StoredWeight& weight,
                        const float* bias, void* y, std::byte* workspace);
std::size_t streamed_winograd_workspace(const WinogradSpec& spec);
void streamed_winograd(const WinogradSpec& spec, const void* x, const StoredWeight& weight, const float* bias,
                       void* y, std::byte* workspace);

// AMX only.
std::size_t tile_conv_packed_values(const TileConvSpec& spec, bool transposed);
void tile_conv_pack(const TileConvSpec& spec, bool transposed, const float* weight, std::uint16_t* packed);
std::size_t tile_conv_workspace(const TileConvSpec& spec, bool transposed);
void tile_conv(const TileConvSpec& spec, bool transposed, const void* from, const std::uint16_t* packed,
               const float* bias, void* to, bool accumulate, std::byte* workspace);
std::size_t tile_conv_weight_grad_workspace(const TileConvSpec& spec);
void tile_conv_weight_grad(const TileConvSpec& spec, const void* x, const void* dy, float* dweight,
                           float* x_sums, float* dy_sums, std::byte* workspace);

void gemm_strided(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t row_stride,
                  std::int64_t column_stride, const float* b, std::int64_t ldb, float* c, std::int64_t ldc,
                  bool accumulate);

double multiply_adds_f32(std::int64_t rounds, float* data);
double multiply_adds_bf16(std::int64_t rounds, float* data);  // AVX512-BF16 only

void add(std::int64_t count, bool is_bf16, const void* a, const void* b, float scale, void* out, int threads);
void scale(std::int64_t count, bool is_bf16, const void* from, float factor, void* to, bool accumulate,
           int threads);
void activate_flat(std::int64_t count, bool is_bf16, Activation kind, const void* x, void* y, int threads);
void activate_backward_flat(std::int64_t count, bool is_bf16, Activation kind, const void* x, const void* dy,
                            void* dx, bool accumulate, int threads);
void gate(std::int64_t samples, std::int64_t half, bool is_bf16, Activation kind, const void* x, void* y,
          int threads);
void gate_backward(std::int64_t samples, std::int64_t half, bool is_bf16, Activation kind, const void* x,
                   const void* dy, void* dx, bool accumulate, int threads);
void upsample(std::int64_t planes, std::int64_t height, std::int64_t width, int block, bool is_bf16,
              const void* small, void* large, float factor, bool accumulate, int threads);
void downsample_sum(std::int64_t planes, std::int64_t height, std::int64_t width, int block, bool is_bf16,
                    const void* large, void* small, float factor, bool accumulate, int threads);

void round_to_bf16(std::int64_t count, const float* from, std::uint16_t* to);
double sum_of_squares(std::int64_t count, const float* x, int threads);
void adamw(const AdamWSpec& spec, std::int64_t count, const float* gradient, float* value, float* moment1,
           float* moment2, float* ema, int threads);

}  // namespace diffusion::DIFFUSION_ISA
