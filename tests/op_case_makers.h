#pragma once

// What op_cases.cpp, op_cases_conv.cpp and op_cases_attention.cpp make cases with.

#include <string>
#include <vector>

#include "op_cases.h"

namespace diffusion::op_case {

OpInput activation(const Shape& shape);
OpInput parameter(const Shape& shape, double scale, double offset = 0);
std::string dims(const Shape& shape);  // for names

struct Padding {
  int top = 0, left = 0, bottom = 0, right = 0;
};
Padding all_around(int pad);

OpCase conv(const Shape& x, std::int64_t channels_out, int kernel, int stride, Padding pad, bool bias = true);
OpCase depthwise_conv(const Shape& x, int kernel, bool bias = false);
OpCase upsample_conv(const Shape& x, std::int64_t channels_out, bool bias = true);
OpCase conv_transpose(const Shape& x, std::int64_t channels_out, int kernel, int stride, int pad);

OpCase attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t h, std::int64_t w,
                 double scale = 1);
OpCase causal_attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t tokens);
// From h x w pixels to so many tokens; masked: some are not to be seen, in the last of several samples none.
OpCase cross_attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t h, std::int64_t w,
                       std::int64_t tokens, bool masked = false);
OpCase linear_attention(std::int64_t n, int heads, std::int64_t head_dim, std::int64_t h, std::int64_t w);

std::vector<OpCase> conv_cases();       // small ones
std::vector<OpCase> attention_cases();  // small ones

}  // namespace diffusion::op_case
