#include "graph/ops.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {

namespace {

[[noreturn]] void reject(std::string_view op, std::span<const Shape> in, std::string_view rule) {
  std::string shapes;
  for (const Shape& s : in) shapes += (shapes.empty() ? "" : ", ") + to_string(s);
  throw Error(ErrorKind::usage, fmt::format("{}: {} (given {})", op, rule, shapes));
}

void require(bool holds, std::string_view op, std::span<const Shape> in, std::string_view rule) {
  if (!holds) reject(op, in, rule);
}

bool is_channel_vector(const Shape& s, std::int64_t channels) {
  return s == Shape{1, channels, 1, 1};
}

// Windows of kernel x kernel pixels, each of which has at least one of the image.
Shape pooled(std::string_view op, std::span<const Shape> in, int kernel, int stride, int pad) {
  if (kernel < 1 || stride < 1 || pad < 0 || pad > kernel / 2)
    throw Error(
        ErrorKind::usage,
        fmt::format("{}: no windows of {} pixels with stride {} and padding {}; the padding is at most "
                    "half of the window",
                    op, kernel, stride, pad));
  require(in.size() == 1, op, in, "takes x");
  const std::int64_t height = in[0].h + 2 * pad - kernel, width = in[0].w + 2 * pad - kernel;
  require(height >= 0 && width >= 0, op, in, "the padded input is smaller than the window");
  return {in[0].n, in[0].c, height / stride + 1, width / stride + 1};
}

}  // namespace

std::string_view to_string(Activation activation) {
  switch (activation) {
    case Activation::none:
      return "none";
    case Activation::silu:
      return "silu";
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::quick_gelu:
      return "quick_gelu";
    case Activation::mish:
      return "mish";
    case Activation::relu:
      return "relu";
  }
  return "?";
}

Shape Conv2d::infer(std::span<const Shape> in) const {
  require(in.size() == 2 || in.size() == 3, kind, in, "takes x, weight and an optional bias");
  const Shape &x = in[0], &weight = in[1];
  if (groups < 1 || weight.n % groups != 0)
    throw Error(ErrorKind::usage,
                fmt::format("conv2d: {} output channels cannot be cut into {} groups", weight.n, groups));
  require(weight.c * groups == x.c, kind, in,
          "the weight's second extent must be the input's channels / groups");
  require(in.size() == 2 || is_channel_vector(in[2], weight.n), kind, in, "the bias must be [1, Cout, 1, 1]");
  const std::int64_t height = x.h + pad_top + pad_bottom - weight.h;
  const std::int64_t width = x.w + pad_left + pad_right - weight.w;
  require(height >= 0 && width >= 0, kind, in, "the padded input is smaller than the kernel");
  return {x.n, weight.n, height / stride + 1, width / stride + 1};
}

Shape ConvTranspose2d::infer(std::span<const Shape> in) const {
  require(in.size() == 2, kind, in, "takes x and weight");
  const Shape &x = in[0], &weight = in[1];
  require(weight.n == x.c, kind, in, "the weight's first extent must be the input's channels");
  const std::int64_t height = (x.h - 1) * stride - 2 * pad + weight.h;
  const std::int64_t width = (x.w - 1) * stride - 2 * pad + weight.w;
  require(height > 0 && width > 0, kind, in, "the padding leaves nothing of the output");
  return {x.n, weight.c, height, width};
}

Shape Linear::infer(std::span<const Shape> in) const {
  require(in.size() == 2 || in.size() == 3, kind, in, "takes x, weight and an optional bias");
  const Shape &x = in[0], &weight = in[1];
  require(x.pixels() == 1 && weight.pixels() == 1, kind, in, "x and weight must be matrices");
  require(weight.c == x.c, kind, in, "the weight's second extent must be the input's channels");
  require(in.size() == 2 || is_channel_vector(in[2], weight.n), kind, in, "the bias must be [1, out, 1, 1]");
  return {x.n, weight.n, 1, 1};
}

Shape GroupNorm::infer(std::span<const Shape> in) const {
  const bool modulated = modulation != Modulation::none;
  require(in.size() == (modulated ? 4u : 3u), kind, in,
          "takes x, gamma, beta and what its modulation asks for");
  const Shape& x = in[0];
  if (groups < 1 || x.c % groups != 0)
    throw Error(ErrorKind::usage,
                fmt::format("group_norm: {} channels cannot be cut into {} groups", x.c, groups));
  require(is_channel_vector(in[1], x.c) && is_channel_vector(in[2], x.c), kind, in,
          "gamma and beta must be [1, C, 1, 1]");
  if (modulated) {
    const std::int64_t channels = modulation == Modulation::shift_before ? x.c : 2 * x.c;
    require(in[3] == Shape{x.n, channels, 1, 1}, kind, in, "the modulation must be [N, C or 2C, 1, 1]");
  }
  return x;
}

Shape Attention::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes qkv");
  if (heads < 1 || in[0].c % (3 * heads) != 0)
    throw Error(ErrorKind::usage,
                fmt::format("attention: {} channels cannot be cut into q, k, v of {} heads", in[0].c, heads));
  return {in[0].n, in[0].c / 3, in[0].h, in[0].w};
}

Shape CrossAttention::infer(std::span<const Shape> in) const {
  require(in.size() == 2 || in.size() == 3, kind, in, "takes q, kv and an optional mask");
  const Shape &q = in[0], &kv = in[1];
  require(kv == Shape{q.n, 2 * q.c, kv.h, 1}, kind, in, "kv must be [N, 2D, T, 1] for q [N, D, H, W]");
  require(in.size() == 2 || in[2] == Shape{q.n, 1, kv.h, 1}, kind, in, "the mask must be [N, 1, T, 1]");
  if (heads < 1 || q.c % heads != 0)
    throw Error(ErrorKind::usage,
                fmt::format("cross_attention: {} channels cannot be cut into {} heads", q.c, heads));
  return q;
}

Shape LinearAttention::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes qkv");
  if (heads < 1 || in[0].c % (3 * heads) != 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("linear_attention: {} channels cannot be cut into q, k, v of {} heads", in[0].c, heads));
  return {in[0].n, in[0].c / 3, in[0].h, in[0].w};
}

Shape ChannelNorm::infer(std::span<const Shape> in) const {
  require((in.size() == 2 || in.size() == 3) && is_channel_vector(in[1], in[0].c), kind, in,
          "takes x, a gain [1, C, 1, 1] and an optional bias");
  require(in.size() == 2 || is_channel_vector(in[2], in[0].c), kind, in, "the bias must be [1, C, 1, 1]");
  return in[0];
}

Shape Activate::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes x");
  return in[0];
}

Shape Gate::infer(std::span<const Shape> in) const {
  require(in.size() == 1 && in[0].c % 2 == 0, kind, in, "takes x with an even number of channels");
  return {in[0].n, in[0].c / 2, in[0].h, in[0].w};
}

Shape Add::infer(std::span<const Shape> in) const {
  require(in.size() == 2 && in[0] == in[1], kind, in, "takes two inputs of one shape");
  return in[0];
}

Shape Affine::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes x");
  return in[0];
}

Shape DivideBy::infer(std::span<const Shape> in) const {
  require(in.size() == 2 && in[1] == Shape{in[0].n, 1, 1, 1}, kind, in, "takes x and a divisor [N, 1, 1, 1]");
  return in[0];
}

Shape Concat::infer(std::span<const Shape> in) const {
  require(in.size() == 2 && in[0].n == in[1].n && in[0].h == in[1].h && in[0].w == in[1].w, kind, in,
          "takes two inputs that agree in N, H and W");
  return {in[0].n, in[0].c + in[1].c, in[0].h, in[0].w};
}

Shape Upsample::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes x");
  return {in[0].n, in[0].c, 2 * in[0].h, 2 * in[0].w};
}

Shape UpsampleConv2d::infer(std::span<const Shape> in) const {
  require(in.size() >= 2 && in[1].h == 3 && in[1].w == 3, kind, in,
          "takes x, a 3x3 weight and an optional bias");
  std::vector<Shape> enlarged(in.begin(), in.end());
  enlarged[0] = Upsample{}.infer(in.first(1));
  return Conv2d{1, 1, 1, 1, 1}.infer(enlarged);
}

Shape AvgPool::infer(std::span<const Shape> in) const {
  return pooled(kind, in, kernel, stride, pad);
}

Shape MaxPool::infer(std::span<const Shape> in) const {
  return pooled(kind, in, kernel, stride, pad);
}

Shape MeanOfPixels::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes x");
  return {in[0].n, in[0].c, 1, 1};
}

Shape TimestepEmbedding::infer(std::span<const Shape> in) const {
  require(in.size() == 1 && in[0] == Shape{in[0].n, 1, 1, 1}, kind, in, "takes t [N, 1, 1, 1]");
  if (dim < 2) throw Error(ErrorKind::usage, fmt::format("timestep_embedding: dim {} is below 2", dim));
  return {in[0].n, dim, 1, 1};
}

Shape FourierEmbedding::infer(std::span<const Shape> in) const {
  require(in.size() == 2 && in[0] == Shape{in[0].n, 1, 1, 1} && is_channel_vector(in[1], in[1].c), kind, in,
          "takes t [N, 1, 1, 1] and frequencies [1, dim, 1, 1]");
  return {in[0].n, 2 * in[1].c, 1, 1};
}

Shape Embedding::infer(std::span<const Shape> in) const {
  require(in.size() == 2 && in[0].c == 1 && in[1].pixels() == 1, kind, in,
          "takes an index [N, 1, H, W] and a table [rows, dim, 1, 1]");
  return {in[0].n, in[1].c, in[0].h, in[0].w};
}

Shape AddPosition::infer(std::span<const Shape> in) const {
  require(in.size() == 2 && in[1].n >= in[0].pixels() && in[1].c == in[0].c && in[1].pixels() == 1, kind, in,
          "takes x and a table [rows, C, 1, 1] with a row for every pixel");
  return in[0];
}

Shape Dropout::infer(std::span<const Shape> in) const {
  require(in.size() == 1, kind, in, "takes x");
  if (!(probability >= 0 && probability < 1))
    throw Error(ErrorKind::usage, fmt::format("dropout: probability {} is not in [0, 1)", probability));
  require(in[0].n <= 65536, kind, in, "a batch has at most 65536 samples");
  return in[0];
}

// A layer has the upper half of the key's sample number. The upper half of the sample's own goes above the
// stream, whose numbers are small.
RandomKey dropout_key(const Dropout& op, std::uint64_t seed, std::uint32_t step, std::uint32_t sample) {
  const std::uint32_t low = sample & 0xffff, high = sample >> 16;
  const auto stream = Stream(std::uint32_t(Stream::dropout) | high << 16);
  return {seed, stream, std::uint32_t(op.layer) << 16 | low, step};
}

std::string_view kind(const Op& op) {
  return std::visit([](const auto& o) { return o.kind; }, op);
}

BackwardReads backward_reads(const Op& op) {
  return std::visit([](const auto& o) { return o.backward_reads; }, op);
}

Shape infer(const Op& op, std::span<const Shape> in) {
  return std::visit([&](const auto& o) { return o.infer(in); }, op);
}

}  // namespace diffusion
