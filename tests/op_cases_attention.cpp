#include <fmt/format.h>

#include "op_case_makers.h"

namespace diffusion::op_case {

OpCase attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t h, std::int64_t w,
                 double scale) {
  const Shape qkv{n, 3 * heads * head_dim, h, w};
  OpCase c{.name = fmt::format("attention_{}_h{}_d{}{}", dims(qkv), heads, head_dim,
                               scale == 1 ? "" : fmt::format("_scale{:.0f}", scale)),
           .op = Attention{heads},
           .inputs = {activation(qkv)}};
  c.inputs[0].scale = scale;
  return c;
}

OpCase causal_attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t tokens) {
  OpCase c = attention(n, heads, head_dim, tokens, 1);
  c.name = "causal_" + c.name;
  c.op = Attention{heads, true};
  return c;
}

OpCase cross_attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t h, std::int64_t w,
                       std::int64_t tokens, bool masked) {
  const Shape q{n, heads * head_dim, h, w}, kv{n, 2 * heads * head_dim, tokens, 1};
  OpCase c{
      .name = fmt::format("cross_attention_{}_h{}_to_{}{}", dims(q), heads, tokens, masked ? "_masked" : ""),
      .op = CrossAttention{heads},
      .inputs = {activation(q), activation(kv)}};
  if (masked)
    c.inputs.push_back({.kind = OpInput::Kind::mask, .shape = {n, 1, tokens, 1}, .needs_grad = false});
  return c;
}

OpCase linear_attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t h, std::int64_t w) {
  const Shape qkv{n, 3 * heads * head_dim, h, w};
  return {.name = fmt::format("linear_attention_{}_h{}_d{}", dims(qkv), heads, head_dim),
          .op = LinearAttention{heads},
          .inputs = {activation(qkv)}};
}

std::vector<OpCase> attention_cases() {
  return {
      attention(2, 1, 16, 7, 7),
      attention(2, 2, 8, 4, 4),
      attention(1, 4, 8, 7, 7),
      attention(2, 4, 3, 4, 4),
      attention(3, 1, 3, 1, 1),
      attention(1, 2, 9, 5, 9),
      attention(2, 4, 32, 4, 4),
      attention(1, 1, 32, 14, 14),
      attention(1, 2, 16, 14, 14),
      attention(1, 1, 64, 8, 8),
      attention(2, 1, 32, 7, 7, 5),  // scores up to 100, whose exponentials f32 cannot hold
      causal_attention(2, 2, 16, 9),
      causal_attention(1, 4, 8, 40),
      attention(1, 2, 40, 5, 7),
      causal_attention(2, 1, 9, 1),
      causal_attention(1, 2, 64, 77),
      cross_attention(2, 2, 16, 7, 7, 5),
      cross_attention(2, 4, 8, 4, 4, 20, true),
      cross_attention(1, 2, 9, 5, 9, 33),
      cross_attention(3, 1, 32, 3, 3, 17, true),
      cross_attention(1, 2, 40, 1, 1, 2),
      cross_attention(2, 2, 3, 4, 4, 7, true),
      cross_attention(1, 2, 40, 9, 9, 77, true),
      cross_attention(2, 1, 160, 4, 4, 77),
      linear_attention(2, 4, 32, 7, 7),
      linear_attention(2, 1, 16, 5, 9),
      linear_attention(1, 2, 9, 4, 4),
      linear_attention(2, 2, 3, 4, 4),
      linear_attention(1, 4, 8, 14, 14),
      linear_attention(3, 2, 16, 1, 1),
  };
}

}  // namespace diffusion::op_case
