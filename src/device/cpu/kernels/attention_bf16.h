#pragma once

// Attention for bf16 feature maps on CPUs that multiply pairs of bf16 (AVX512-BF16): half the instructions of
// the f32 form. Scores, softmax and sums stay f32; queries, keys, values, probabilities and their gradients
// enter products as bf16, as they do in PyTorch's autocast.

#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA {

#ifdef __AVX512BF16__
inline constexpr bool kPairAttention = true;
#else
inline constexpr bool kPairAttention = false;  // and the functions below do not exist
#endif

std::size_t pair_attention_workspace(const AttentionSpec& spec, bool backward);  // floats, one thread
void pair_attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* log_sum_exp,
                            float* workspace);
void pair_attention_backward(const AttentionSpec& spec, const void* qkv, const void* out,
                             const float* log_sum_exp, const void* dout, void* dqkv, bool accumulate,
                             float* workspace);

// The same for attention to other tokens and causal attention, forward alone.
#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)
inline constexpr bool kPairCrossAttention = true;
#else
inline constexpr bool kPairCrossAttention = false;
#endif

std::size_t pair_cross_attention_workspace(const AttentionSpec& spec);  // floats, one thread
void pair_cross_attention_forward(const AttentionSpec& spec, const AttentionInput& in, void* out,
                                  float* workspace);

}  // namespace diffusion::DIFFUSION_ISA
