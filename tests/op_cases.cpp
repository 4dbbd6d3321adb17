#include "op_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "base/rng.h"
#include "op_case_makers.h"

namespace diffusion {

namespace {

using namespace op_case;
using Kind = OpInput::Kind;
using Cases = std::vector<OpCase>;

OpInput fixed(Kind kind, std::int64_t n, std::int64_t rows = 0) {
  return {.kind = kind, .shape = {n, 1, 1, 1}, .needs_grad = false, .rows = rows};
}

OpCase linear(std::int64_t n, std::int64_t in, std::int64_t out, bool bias = true) {
  OpCase c{.name = fmt::format("linear_{}x{}_to_{}{}", n, in, out, bias ? "" : "_no_bias"),
           .op = Linear{},
           .inputs = {activation({n, in, 1, 1}), parameter({out, in, 1, 1}, 1 / std::sqrt(double(in)))}};
  if (bias) c.inputs.push_back(parameter({1, out, 1, 1}, 1));
  return c;
}

std::string_view name_of(Modulation modulation) {
  switch (modulation) {
    case Modulation::none:
      return "plain";
    case Modulation::shift_before:
      return "shift_before";
    case Modulation::scale_shift_after:
      return "scale_shift_after";
  }
  return "";
}

OpCase group_norm(const Shape& x, int groups, Activation act, Modulation modulation = Modulation::none,
                  double mean = 0, double eps = 1e-5) {
  OpCase c{
      .name = fmt::format("group_norm_{}_g{}_{}_{}{}{}", dims(x), groups, to_string(act), name_of(modulation),
                          mean == 0 ? "" : fmt::format("_mean{:.0f}", mean), eps == 1e-5 ? "" : "_other_eps"),
      .op = GroupNorm{groups, eps, act, modulation},
      .inputs = {activation(x), parameter({1, x.c, 1, 1}, 0.3, 1), parameter({1, x.c, 1, 1}, 0.3)}};
  c.inputs[0].offset = mean;
  if (modulation == Modulation::shift_before) c.inputs.push_back(activation({x.n, x.c, 1, 1}));
  if (modulation == Modulation::scale_shift_after) c.inputs.push_back(activation({x.n, 2 * x.c, 1, 1}));
  return c;
}

OpCase channel_norm(const Shape& x, double mean = 0) {
  OpCase c{
      .name = fmt::format("channel_norm_{}{}", dims(x), mean == 0 ? "" : fmt::format("_mean{:.0f}", mean)),
      .op = ChannelNorm{},
      .inputs = {activation(x), parameter({1, x.c, 1, 1}, 0.3, 1)}};
  c.inputs[0].offset = mean;
  return c;
}

OpCase layer_norm(const Shape& x, double mean = 0) {
  OpCase c = channel_norm(x, mean);
  c.name += "_bias";
  c.inputs.push_back(parameter({1, x.c, 1, 1}, 0.3));
  return c;
}

OpCase gate(Activation act, const Shape& x) {
  return {
      .name = fmt::format("gate_{}_{}", to_string(act), dims(x)), .op = Gate{act}, .inputs = {activation(x)}};
}

OpCase activate(Activation act, const Shape& x) {
  OpCase c{.name = fmt::format("activate_{}_{}", to_string(act), dims(x)),
           .op = Activate{act},
           .inputs = {activation(x)}};
  c.inputs[0].scale = 2;  // reaches the tails
  return c;
}

OpCase add(const Shape& x, double scale) {
  return {.name = fmt::format("add_{}{}", dims(x), scale == 1 ? "" : "_scaled"),
          .op = Add{scale},
          .inputs = {activation(x), activation(x)}};
}

OpCase affine(const Shape& x, double scale, double shift) {
  return {.name = "affine_" + dims(x), .op = Affine{scale, shift}, .inputs = {activation(x)}};
}

OpCase divide_by(const Shape& x) {
  return {
      .name = "divide_by_" + dims(x), .op = DivideBy{}, .inputs = {activation(x), fixed(Kind::divisor, x.n)}};
}

OpCase concat(std::int64_t n, std::int64_t channels_a, std::int64_t channels_b, std::int64_t h,
              std::int64_t w) {
  return {.name = fmt::format("concat_{}x{}and{}x{}x{}", n, channels_a, channels_b, h, w),
          .op = Concat{},
          .inputs = {activation({n, channels_a, h, w}), activation({n, channels_b, h, w})}};
}

OpCase upsample(const Shape& x) {
  return {.name = "upsample_" + dims(x), .op = Upsample{}, .inputs = {activation(x)}};
}

template <class Pool>
OpCase pool(const Shape& x, const Pool& op) {
  return {.name = fmt::format("{}_{}_k{}_s{}_pad{}", Pool::kind, dims(x), op.kernel, op.stride, op.pad),
          .op = op,
          .inputs = {activation(x)}};
}

OpCase mean_of_pixels(const Shape& x) {
  return {.name = fmt::format("mean_of_pixels_{}", dims(x)), .op = MeanOfPixels{}, .inputs = {activation(x)}};
}

OpCase timestep_embedding(std::int64_t n, int dim, double freq_shift, bool cos_first,
                          double max_period = 10000) {
  return {.name = fmt::format("timestep_embedding_{}x{}_shift{:.0f}_{}_period{:.0f}", n, dim, freq_shift,
                              cos_first ? "cos_sin" : "sin_cos", max_period),
          .op = TimestepEmbedding{dim, freq_shift, cos_first, max_period},
          .inputs = {fixed(Kind::timestep, n)}};
}

OpCase fourier_embedding(std::int64_t n, std::int64_t dim, bool cos_first) {
  OpCase c{.name = fmt::format("fourier_embedding_{}x{}_{}", n, dim, cos_first ? "cos_sin" : "sin_cos"),
           .op = FourierEmbedding{cos_first},
           .inputs = {fixed(Kind::timestep, n), parameter({1, dim, 1, 1}, 16)}};  // 16 as in score_sde
  c.inputs[1].needs_grad = false;
  return c;
}

OpCase embedding(std::int64_t n, std::int64_t rows, std::int64_t dim) {
  return {.name = fmt::format("embedding_{}_of_{}x{}", n, rows, dim),
          .op = Embedding{},
          .inputs = {fixed(Kind::index, n, rows), parameter({rows, dim, 1, 1}, 1)}};
}

OpCase token_embedding(std::int64_t n, std::int64_t tokens, std::int64_t rows, std::int64_t dim) {
  OpCase c = embedding(n, rows, dim);
  c.name = fmt::format("embedding_{}x{}_of_{}x{}", n, tokens, rows, dim);
  c.inputs[0].shape = {n, 1, tokens, 1};
  return c;
}

OpCase add_position(const Shape& x, std::int64_t rows) {
  return {.name = fmt::format("add_position_{}_of_{}", dims(x), rows),
          .op = AddPosition{},
          .inputs = {activation(x), parameter({rows, x.c, 1, 1}, 1)}};
}

OpCase dropout(const Shape& x, double probability, int layer) {
  return {.name = fmt::format("dropout_{}_p{:02.0f}_layer{}", dims(x), 100 * probability, layer),
          .op = Dropout{probability, layer},
          .inputs = {activation(x)}};
}

void add_norm_cases(Cases& cases) {
  for (Activation act : {Activation::none, Activation::silu, Activation::gelu, Activation::gelu_tanh,
                         Activation::quick_gelu, Activation::mish, Activation::relu})
    for (Modulation m : {Modulation::none, Modulation::shift_before, Modulation::scale_shift_after})
      cases.push_back(group_norm({2, 32, 4, 4}, 8, act, m));
  for (const OpCase& c : {
           group_norm({2, 18, 7, 7}, 1, Activation::silu),
           group_norm({2, 20, 5, 9}, 20, Activation::silu),
           group_norm({1, 24, 7, 7}, 3, Activation::mish, Modulation::scale_shift_after),
           group_norm({2, 28, 5, 9}, 7, Activation::gelu, Modulation::shift_before),
           group_norm({1, 64, 5, 9}, 32, Activation::silu, Modulation::shift_before),
           group_norm({1, 96, 5, 9}, 16, Activation::silu,
                      Modulation::shift_before),  // groups across vectors
           group_norm({2, 48, 7, 7}, 8, Activation::silu,
                      Modulation::scale_shift_after),  // groups of 6 straddle
           group_norm({3, 32, 1, 1}, 8, Activation::silu, Modulation::shift_before),
           group_norm({1, 1, 7, 7}, 1, Activation::none),
           group_norm({2, 3, 5, 9}, 3, Activation::relu),
           group_norm({2, 4, 4, 4}, 2, Activation::silu, Modulation::none, 0, 1e-6),
           group_norm({2, 32, 7, 7}, 8, Activation::silu, Modulation::none, 8),  // mean far above deviation
           group_norm({2, 56, 7, 7}, 1, Activation::none, Modulation::shift_before),
           channel_norm({2, 16, 7, 7}),
           channel_norm({2, 28, 5, 9}),
           channel_norm({1, 112, 4, 4}, 8),
           channel_norm({2, 3, 4, 4}),
           channel_norm({3, 64, 1, 1}),
           layer_norm({2, 48, 9, 1}),
           layer_norm({1, 18, 4, 4}, 8),
           layer_norm({3, 64, 1, 1}),
       })
    cases.push_back(c);
}

void add_elementwise_cases(Cases& cases) {
  for (Activation act : {Activation::none, Activation::silu, Activation::gelu, Activation::gelu_tanh,
                         Activation::quick_gelu, Activation::mish, Activation::relu})
    cases.push_back(activate(act, {2, 18, 5, 9}));
  for (const OpCase& c : {
           activate(Activation::silu, {3, 64, 1, 1}),
           activate(Activation::gelu, {1, 1, 7, 7}),
           gate(Activation::gelu, {2, 64, 5, 9}),
           gate(Activation::silu, {1, 32, 9, 1}),
           gate(Activation::gelu, {2, 36, 4, 4}),  // halves that do not end on a block
           gate(Activation::quick_gelu, {3, 96, 1, 1}),
           add({2, 16, 7, 7}, 1),
           add({1, 18, 5, 9}, 1),
           add({2, 3, 7, 7}, std::sqrt(0.5)),
           affine({2, 16, 7, 7}, 2, -1),
           affine({1, 3, 5, 9}, 0.5, 0.25),
           divide_by({3, 16, 7, 7}),
           divide_by({2, 1, 5, 9}),
           dropout({2, 16, 7, 7}, 0.1, 0),
           dropout({1, 18, 5, 9}, 0.5, 3),
           dropout({2, 20, 4, 4}, 0, 1),
       })
    cases.push_back(c);
}

void add_shape_cases(Cases& cases) {
  for (const OpCase& c : {
           concat(2, 16, 32, 7, 7),
           concat(1, 18, 28, 5, 9),
           concat(2, 3, 5, 7, 7),
           concat(3, 1, 1, 4, 4),
           concat(1, 64, 32, 1, 1),
           upsample({2, 16, 1, 1}),
           upsample({2, 32, 7, 7}),
           upsample({1, 18, 5, 9}),
           upsample({1, 3, 4, 4}),
           pool({2, 16, 8, 8}, AvgPool{}),
           pool({2, 18, 7, 7}, AvgPool{}),
           pool({1, 3, 5, 9}, AvgPool{}),
           pool({1, 32, 2, 2}, AvgPool{}),
           pool({2, 18, 7, 5}, AvgPool{3, 1, 1}),
           pool({2, 32, 1, 2}, AvgPool{3, 1, 1}),
           pool({1, 16, 8, 9}, AvgPool{4, 3, 2}),
           pool({2, 40, 8, 8}, AvgPool{8, 1, 0}),
           mean_of_pixels({2, 18, 7, 1}),
           mean_of_pixels({3, 32, 1, 1}),
           mean_of_pixels({1, 3, 5, 4}),
           pool({2, 18, 7, 5}, MaxPool{3, 1, 1}),
           pool({2, 16, 9, 8}, MaxPool{3, 2, 0}),
           pool({1, 3, 5, 9}, MaxPool{3, 2, 1}),
           pool({2, 32, 1, 1}, MaxPool{3, 1, 1}),
           pool({1, 20, 6, 6}, MaxPool{2, 2, 0}),
       })
    cases.push_back(c);
}

void add_vector_cases(Cases& cases) {
  for (const OpCase& c : {
           linear(1, 1, 1),
           linear(2, 64, 128),
           linear(3, 18, 20, false),
           linear(5, 32, 16),
           linear(1, 7, 3),
           linear(7, 128, 64),
           timestep_embedding(3, 32, 0, true),
           timestep_embedding(2, 128, 1, false),
           timestep_embedding(1, 7, 0, true),
           timestep_embedding(4, 18, 0, false, 1000),
           fourier_embedding(3, 16, true),
           fourier_embedding(1, 9, false),
           embedding(5, 10, 64),
           embedding(1, 3, 18),
           embedding(64, 7, 16),  // every row many times
           token_embedding(2, 9, 30, 32),
           token_embedding(3, 5, 4, 18),
           add_position({2, 32, 9, 1}, 9),
           add_position({3, 18, 4, 1}, 7),
       })
    cases.push_back(c);
}

Cases cases_with_input(bool (*predicate)(const OpInput&)) {
  Cases cases = correctness_cases();
  std::erase_if(cases, [&](const OpCase& c) { return std::ranges::none_of(c.inputs, predicate); });
  return cases;
}

}  // namespace

void PrintTo(const OpCase& op_case, std::ostream* out) {
  *out << op_case.name;
}

std::vector<OpCase> correctness_cases() {
  Cases cases = conv_cases();
  add_norm_cases(cases);
  for (const OpCase& c : attention_cases()) cases.push_back(c);
  add_elementwise_cases(cases);
  add_shape_cases(cases);
  add_vector_cases(cases);
  return cases;
}

std::vector<OpCase> differentiable_cases() {
  return cases_with_input([](const OpInput& input) { return input.needs_grad; });
}

std::vector<OpCase> parameter_cases() {
  return cases_with_input([](const OpInput& input) { return input.kind == Kind::parameter; });
}

// The layers of a U-Net for 28x28 (base 64, batch 64) and 32x32 (base 32, batch 64) images.
std::vector<OpCase> benchmark_cases() {
  const Padding same = all_around(1);
  return {
      conv({64, 1, 28, 28}, 64, 3, 1, same),
      conv({64, 64, 28, 28}, 64, 3, 1, same),
      conv({64, 128, 28, 28}, 64, 3, 1, same),
      conv({64, 64, 28, 28}, 64, 3, 2, same),
      conv({64, 128, 14, 14}, 128, 3, 1, same),
      conv({64, 128, 7, 7}, 128, 3, 1, same),
      conv({64, 128, 14, 14}, 384, 1, 1, {}),
      conv({64, 64, 28, 28}, 1, 3, 1, same),
      conv({64, 32, 32, 32}, 32, 3, 1, same),
      conv({64, 3, 32, 32}, 32, 3, 1, same),
      depthwise_conv({16, 56, 28, 28}, 7),
      depthwise_conv({16, 112, 7, 7}, 7),
      conv({16, 28, 28, 28}, 56, 3, 1, same, false),
      conv({16, 56, 28, 28}, 28, 3, 1, same, false),
      conv({16, 112, 7, 7}, 224, 3, 1, same, false),
      conv_transpose({16, 28, 14, 14}, 28, 4, 2, 1),
      linear_attention(16, 4, 32, 28, 28),
      channel_norm({16, 28, 28, 28}),
      group_norm({16, 56, 28, 28}, 1, Activation::none),
      activate(Activation::gelu_tanh, {16, 56, 28, 28}),
      linear(64, 256, 256),
      group_norm({64, 64, 28, 28}, 32, Activation::silu),
      group_norm({64, 128, 14, 14}, 32, Activation::silu, Modulation::shift_before),
      group_norm({64, 32, 32, 32}, 8, Activation::silu, Modulation::scale_shift_after),
      attention(64, 1, 128, 14, 14),
      attention(64, 4, 32, 14, 14),
      attention(64, 4, 32, 7, 7),
      cross_attention(32, 4, 48, 16, 16, 24),
      cross_attention(32, 4, 48, 16, 16, 24, true),
      causal_attention(32, 4, 64, 24),
      layer_norm({32, 192, 16, 16}),
      gate(Activation::gelu, {32, 1536, 16, 16}),
      token_embedding(32, 24, 1500, 256),
      activate(Activation::silu, {64, 64, 28, 28}),
      add({64, 64, 28, 28}, 1),
      concat(64, 64, 64, 28, 28),
      upsample({64, 128, 14, 14}),
      upsample_conv({64, 128, 14, 14}, 128),
      upsample_conv({128, 64, 14, 14}, 64),
      upsample_conv({128, 128, 7, 7}, 128),
      pool({64, 64, 28, 28}, AvgPool{}),
      pool({16, 288, 35, 35}, AvgPool{3, 1, 1}),
      pool({16, 64, 147, 147}, MaxPool{3, 2, 0}),
      dropout({64, 128, 14, 14}, 0.1, 0),
  };
}

std::vector<float> make_values(const OpInput& input, std::size_t index) {
  constexpr double kGrid = 0x1p16;
  const RandomKey key{2024, Stream::init, std::uint32_t(index)};
  std::vector<float> values(std::size_t(input.shape.elements()));
  switch (input.kind) {
    case Kind::activation:
    case Kind::parameter:
      fill_normal(key, std::span(values));
      for (float& v : values) v = float(std::round((input.offset + input.scale * double(v)) * kGrid) / kGrid);
      break;
    case Kind::timestep:
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = float(1000 * uniform(key, std::uint32_t(i)) + 1e-3);
      break;
    case Kind::divisor:
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = float(std::pow(10.0, 2 * uniform(key, std::uint32_t(i)) - 1));
      break;
    case Kind::mask:
      for (std::size_t i = 0; i < values.size(); ++i) {
        const bool last = i / std::size_t(input.shape.pixels()) + 1 == std::size_t(input.shape.n);
        values[i] = float(!(last && input.shape.n > 1) && uniform(key, std::uint32_t(i)) < 0.6);
      }
      break;
    case Kind::index:
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = float(uniform_below(key, std::uint32_t(input.rows), std::uint32_t(i)));
      break;
  }
  return values;
}

}  // namespace diffusion
