#include "device/cpu/kernels/kernels.h"

#include "device/cpu/kernels/simd.h"
#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA {

const KernelTable& kernel_table() {
  static constexpr KernelTable table{
      .lanes = kLanes,
      .group_norm_forward_workspace = group_norm_forward_workspace,
      .group_norm_backward_workspace = group_norm_backward_workspace,
      .group_norm_forward = group_norm_forward,
      .group_norm_backward = group_norm_backward,
      .attention_workspace = attention_workspace,
      .attention_forward = attention_forward,
      .attention_backward = attention_backward,
      .linear_attention_workspace = linear_attention_workspace,
      .linear_attention_forward = linear_attention_forward,
      .linear_attention_backward = linear_attention_backward,
      .channel_norm_workspace = channel_norm_workspace,
      .channel_norm_forward = channel_norm_forward,
      .channel_norm_backward = channel_norm_backward,
      .narrow_to_wide = narrow_to_wide,
      .wide_to_narrow = wide_to_narrow,
      .narrow_weight_grad = narrow_weight_grad,
      .narrow_workspace = narrow_workspace,
      .depthwise_weight_grad = depthwise_weight_grad,
      .depthwise_workspace = depthwise_workspace,
      .winograd_f32_packed_floats = winograd_f32_packed_floats,
      .winograd_f32_pack = winograd_f32_pack,
      .winograd_f32_forward_workspace = winograd_f32_forward_workspace,
      .winograd_f32_forward = winograd_f32_forward,
      .winograd_f32_weight_grad_workspace = winograd_f32_weight_grad_workspace,
      .winograd_f32_weight_grad = winograd_f32_weight_grad,
#ifdef __AVX512BF16__
      .winograd_bf16_packed_pairs = winograd_bf16_packed_pairs,
      .winograd_bf16_pack = winograd_bf16_pack,
      .winograd_bf16_forward_workspace = winograd_bf16_forward_workspace,
      .winograd_bf16_forward = winograd_bf16_forward,
      .winograd_bf16_weight_grad_workspace = winograd_bf16_weight_grad_workspace,
      .winograd_bf16_weight_grad = winograd_bf16_weight_grad,
#else
      .winograd_bf16_packed_pairs = nullptr,
      .winograd_bf16_pack = nullptr,
      .winograd_bf16_forward_workspace = nullptr,
      .winograd_bf16_forward = nullptr,
      .winograd_bf16_weight_grad_workspace = nullptr,
      .winograd_bf16_weight_grad = nullptr,
#endif
      .widen = widen,
      .streamed_linear = streamed_linear,
#ifdef __AVX512BF16__
      .streamed_pointwise_workspace = streamed_pointwise_workspace,
      .streamed_pointwise = streamed_pointwise,
      .streamed_winograd_workspace = streamed_winograd_workspace,
      .streamed_winograd = streamed_winograd,
#else
      .streamed_pointwise_workspace = nullptr,
      .streamed_pointwise = nullptr,
      .streamed_winograd_workspace = nullptr,
      .streamed_winograd = nullptr,
#endif
#ifdef __AMX_BF16__
      .tile_conv_packed_values = tile_conv_packed_values,
      .tile_conv_pack = tile_conv_pack,
      .tile_conv_workspace = tile_conv_workspace,
      .tile_conv = tile_conv,
      .tile_conv_weight_grad_workspace = tile_conv_weight_grad_workspace,
      .tile_conv_weight_grad = tile_conv_weight_grad,
#else
      .tile_conv_packed_values = nullptr,
      .tile_conv_pack = nullptr,
      .tile_conv_workspace = nullptr,
      .tile_conv = nullptr,
      .tile_conv_weight_grad_workspace = nullptr,
      .tile_conv_weight_grad = nullptr,
#endif
      .gemm = gemm_strided,
      .multiply_adds_f32 = multiply_adds_f32,
#ifdef __AVX512BF16__
      .multiply_adds_bf16 = multiply_adds_bf16,
#else
      .multiply_adds_bf16 = nullptr,
#endif
      .add = add,
      .scale = scale,
      .activate = activate_flat,
      .activate_backward = activate_backward_flat,
      .gate = gate,
      .gate_backward = gate_backward,
      .upsample = upsample,
      .downsample_sum = downsample_sum,
      .to_bf16 = round_to_bf16,
      .sum_of_squares = sum_of_squares,
      .adamw = adamw,
  };
  return table;
}

}  // namespace diffusion::DIFFUSION_ISA
