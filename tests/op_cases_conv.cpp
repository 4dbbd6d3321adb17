// Convolutions among the op cases.

#include <fmt/format.h>

#include <cmath>

#include "op_case_makers.h"

namespace diffusion::op_case {

OpInput activation(const Shape& shape) {
  return {.kind = OpInput::Kind::activation, .shape = shape};
}

OpInput parameter(const Shape& shape, double scale, double offset) {
  return {.kind = OpInput::Kind::parameter, .shape = shape, .scale = scale, .offset = offset};
}

std::string dims(const Shape& s) {
  return fmt::format("{}x{}x{}x{}", s.n, s.c, s.h, s.w);
}

Padding all_around(int pad) {
  return {pad, pad, pad, pad};
}

OpCase conv(const Shape& x, std::int64_t channels_out, int kernel, int stride, Padding pad, bool bias) {
  const double weight_scale = 1 / std::sqrt(double(x.c * kernel * kernel));  // keeps the output near 1
  OpCase c{.name = fmt::format("conv2d_{}_to_{}_k{}_s{}_pad{}{}{}{}{}", dims(x), channels_out, kernel, stride,
                               pad.top, pad.left, pad.bottom, pad.right, bias ? "" : "_no_bias"),
           .op = Conv2d{stride, pad.top, pad.left, pad.bottom, pad.right},
           .inputs = {activation(x), parameter({channels_out, x.c, kernel, kernel}, weight_scale)}};
  if (bias) c.inputs.push_back(parameter({1, channels_out, 1, 1}, 1));
  return c;
}

namespace {

// Keeps the size.
OpCase rectangular_conv(const Shape& x, std::int64_t channels_out, int height, int width) {
  OpCase c = conv(x, channels_out, 1, 1, {});
  c.op = Conv2d{1, height / 2, width / 2, height / 2, width / 2};
  c.inputs[1] = parameter({channels_out, x.c, height, width}, 1 / std::sqrt(double(x.c * height * width)));
  c.name = fmt::format("conv2d_{}_to_{}_k{}x{}", dims(x), channels_out, height, width);
  return c;
}

OpCase grouped_conv(const Shape& x, std::int64_t channels_out, int kernel, int stride, int groups,
                    bool bias) {
  OpCase c = conv({x.n, x.c / groups, x.h, x.w}, channels_out, kernel, stride, all_around(kernel / 2), bias);
  std::get<Conv2d>(c.op).groups = groups;
  c.inputs[0].shape = x;
  c.name = fmt::format("conv2d_{}_to_{}_k{}_s{}_groups{}{}", dims(x), channels_out, kernel, stride, groups,
                       bias ? "" : "_no_bias");
  return c;
}

}  // namespace

OpCase depthwise_conv(const Shape& x, int kernel, bool bias) {
  return grouped_conv(x, x.c, kernel, 1, int(x.c), bias);
}

OpCase upsample_conv(const Shape& x, std::int64_t channels_out, bool bias) {
  OpCase c = conv(x, channels_out, 3, 1, all_around(1), bias);
  c.op = UpsampleConv2d{};
  c.name = "upsample_" + c.name;
  return c;
}

OpCase conv_transpose(const Shape& x, std::int64_t channels_out, int kernel, int stride, int pad) {
  return {.name = fmt::format("conv_transpose2d_{}_to_{}_k{}_s{}_pad{}", dims(x), channels_out, kernel,
                              stride, pad),
          .op = ConvTranspose2d{stride, pad},
          .inputs = {activation(x), parameter({x.c, channels_out, kernel, kernel},
                                              stride / std::sqrt(double(x.c * kernel * kernel)))}};
}

std::vector<OpCase> conv_cases() {
  const Padding same = all_around(1), bottom_right{0, 0, 1, 1};
  return {
      conv({2, 16, 7, 7}, 32, 1, 1, {}),
      conv({1, 18, 5, 9}, 28, 1, 1, {}),
      conv({2, 3, 5, 9}, 4, 1, 1, {}, false),
      conv({2, 16, 7, 7}, 16, 1, 2, {}),
      conv({2, 16, 7, 7}, 16, 3, 1, same),
      conv({2, 32, 14, 14}, 32, 3, 1, same),
      conv({1, 64, 8, 8}, 64, 3, 1, same),
      conv({2, 64, 7, 7}, 48, 3, 1, same),
      conv({1, 56, 5, 9}, 72, 3, 1, same),
      conv({3, 80, 3, 2}, 144, 3, 1, same, false),
      conv({1, 96, 1, 1}, 64, 3, 1, same),
      conv({2, 18, 5, 9}, 20, 3, 1, same),
      conv({2, 40, 7, 7}, 24, 3, 1, same),
      conv({1, 24, 7, 7}, 40, 3, 1, same),
      conv({5, 48, 4, 4}, 32, 3, 1, same),
      conv({3, 16, 1, 1}, 16, 3, 1, same),
      conv({2, 20, 7, 7}, 28, 3, 1, same, false),
      conv({2, 16, 5, 9}, 16, 3, 1, {}),
      // Enough tiles for Winograd in training: odd channels, two panels, one image, one pixel.
      conv({16, 18, 9, 10}, 20, 3, 1, same),
      conv({33, 64, 7, 7}, 80, 3, 1, same, false),
      conv({1, 16, 48, 45}, 24, 3, 1, same),
      conv({130, 16, 1, 1}, 16, 3, 1, same),
      conv({2, 4, 6, 5}, 3, 3, 1, {1, 0, 2, 1}),
      // The ends of a network.
      conv({2, 1, 14, 14}, 32, 3, 1, same),
      conv({2, 32, 14, 14}, 1, 3, 1, same),
      conv({2, 3, 8, 8}, 16, 3, 1, same),
      conv({2, 16, 8, 8}, 3, 3, 1, same),
      conv({1, 4, 5, 9}, 20, 3, 1, same),
      conv({1, 24, 5, 9}, 4, 3, 1, same),
      conv({1, 1, 7, 7}, 1, 5, 1, all_around(2)),
      conv({2, 3, 9, 9}, 16, 7, 1, all_around(3)),
      conv({1, 1, 14, 14}, 18, 7, 2, all_around(3)),
      conv({2, 3, 9, 8}, 20, 3, 2, {}),
      // Rectangles.
      rectangular_conv({2, 20, 9, 8}, 24, 1, 7),
      rectangular_conv({2, 16, 9, 8}, 18, 7, 1),
      rectangular_conv({1, 32, 5, 5}, 32, 1, 3),
      rectangular_conv({1, 32, 5, 5}, 32, 3, 1),
      // Halving.
      conv({2, 16, 7, 7}, 32, 3, 2, same),
      conv({2, 18, 7, 8}, 20, 3, 2, {}),
      conv({2, 32, 8, 8}, 32, 3, 2, same),
      conv({2, 16, 8, 8}, 16, 3, 2, bottom_right),
      conv({1, 18, 7, 9}, 20, 3, 2, bottom_right),
      conv({2, 8, 8, 8}, 16, 4, 2, same),
      // One filter per channel, and groups.
      depthwise_conv({2, 16, 7, 7}, 7),
      depthwise_conv({2, 18, 14, 14}, 7),
      depthwise_conv({1, 56, 5, 9}, 7, true),
      depthwise_conv({2, 20, 6, 5}, 3, true),
      depthwise_conv({3, 40, 4, 9}, 5),
      depthwise_conv({2, 3, 8, 8}, 3, true),
      grouped_conv({2, 32, 7, 7}, 32, 3, 1, 2, true),
      grouped_conv({1, 12, 5, 9}, 24, 3, 2, 4, false),
      // Enlarged first: odd channels, two panels, one image, one pixel, few channels, none blocked.
      upsample_conv({2, 32, 7, 7}, 32),
      upsample_conv({3, 56, 4, 5}, 72),
      upsample_conv({1, 64, 3, 2}, 80, false),
      upsample_conv({5, 96, 1, 1}, 48),
      upsample_conv({2, 18, 5, 3}, 20),
      upsample_conv({16, 40, 6, 6}, 64),
      upsample_conv({2, 16, 4, 4}, 3),
      upsample_conv({2, 3, 4, 3}, 16),
      upsample_conv({1, 2, 3, 3}, 3),
      // Doubling.
      conv_transpose({2, 32, 7, 7}, 32, 4, 2, 1),
      conv_transpose({1, 28, 4, 5}, 18, 4, 2, 1),
      conv_transpose({2, 56, 4, 4}, 56, 4, 2, 1),
      conv_transpose({2, 3, 4, 4}, 5, 3, 1, 0),
  };
}

}  // namespace diffusion::op_case
