#pragma once

// What op_cases.cpp and op_cases_conv.cpp make cases with.

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

std::vector<OpCase> conv_cases();  // small ones

}  // namespace diffusion::op_case
