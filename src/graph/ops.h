#pragma once

// Every operation the engine knows, as plain data. A device turns them into kernels (device/device.h) with
// one std::visit, so a device that forgets one does not compile. Shapes are logical, [N, C, H, W].

#include <span>
#include <string_view>
#include <variant>

#include "base/rng.h"
#include "base/tensor.h"
#include "graph/activation.h"

namespace diffusion {

std::string_view to_string(Activation activation);

// What an op's backward reads. Everything else may be overwritten as soon as its last forward reader is done.
struct BackwardReads {
  bool inputs = false;
  bool output = false;
};

// Cross-correlation as in PyTorch. in: x [N,Cin,H,W], weight [Cout,Cin/groups,K,K], optional bias
// [1,Cout,1,1]. groups == Cin == Cout is a depthwise convolution.
struct Conv2d {
  int stride = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int groups = 1;

  static constexpr std::string_view kind = "conv2d";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// The transpose of a convolution, as PyTorch's ConvTranspose2d. in: x [N,Cin,H,W], weight [Cin,Cout,K,K];
// out: [N,Cout,(H-1) stride - 2 pad + K, ...].
struct ConvTranspose2d {
  int stride = 1, pad = 0;

  static constexpr std::string_view kind = "conv_transpose2d";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// out = x weight^T + bias. in: x [N,I,1,1], weight [O,I,1,1], optional bias [1,O,1,1].
struct Linear {
  static constexpr std::string_view kind = "linear";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// Group normalization over (C / groups, H, W) with biased variance, then modulation, then activation.
// in: x [N,C,H,W], gamma [1,C,1,1], beta [1,C,1,1], m as `modulation` says.
struct GroupNorm {
  int groups = 1;
  double eps = 1e-5;
  Activation activation = Activation::none;
  Modulation modulation = Modulation::none;

  static constexpr std::string_view kind = "group_norm";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// softmax(Q^T K / sqrt(head_dim)) V over pixels, per head; causal: pixel i sees pixels 0 to i alone.
// in: qkv [N,3D,H,W], channels stacked as q, k, v and each cut into `heads` equal runs; out: [N,D,H,W].
struct Attention {
  int heads = 1;
  bool causal = false;

  static constexpr std::string_view kind = "attention";
  static constexpr BackwardReads backward_reads{.inputs = true, .output = true};
  Shape infer(std::span<const Shape> in) const;
};

// Attention from the pixels of one tensor to the tokens of another. in: q [N,D,H,W], kv [N,2D,T,1], channels
// stacked as k, v, and optionally a mask [N,1,T,1] (an input; gets no gradient), 0 for tokens that are not to
// be seen and else 1; out: [N,D,H,W], 0 in samples that see no token.
struct CrossAttention {
  int heads = 1;

  static constexpr std::string_view kind = "cross_attention";
  static constexpr BackwardReads backward_reads{.inputs = true, .output = true};
  Shape infer(std::span<const Shape> in) const;
};

// Attention at a cost linear in the number of pixels (Shen et al. 2021, arXiv 1812.01243), per head:
// out = C^T softmax_d(Q) / sqrt(head_dim), C = softmax_pixels(K) V^T / pixels, softmax_d over the channels of
// the head. in: qkv [N,3D,H,W], as for Attention; out: [N,D,H,W].
struct LinearAttention {
  int heads = 1;

  static constexpr std::string_view kind = "linear_attention";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// Layer normalization over the channels of each pixel, biased variance.
// in: x [N,C,H,W], gain [1,C,1,1], optional bias [1,C,1,1].
struct ChannelNorm {
  double eps = 1e-5;

  static constexpr std::string_view kind = "channel_norm";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// Elementwise. in: x.
struct Activate {
  Activation activation = Activation::silu;

  static constexpr std::string_view kind = "activate";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// The first half of the channels times an activation of the second ("GLU variants", Shazeer 2020, arXiv
// 2002.05202; GEGLU with gelu). in: x [N,2C,H,W]; out: [N,C,H,W].
struct Gate {
  Activation activation = Activation::gelu;

  static constexpr std::string_view kind = "gate";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// (a + b) * scale. in: a, b of one shape.
struct Add {
  double scale = 1;

  static constexpr std::string_view kind = "add";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// x * scale + shift. in: x.
struct Affine {
  double scale = 1, shift = 0;

  static constexpr std::string_view kind = "affine";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// x[n] / divisor[n]. in: x [N,C,H,W], divisor [N,1,1,1] (an input; gets no gradient).
struct DivideBy {
  static constexpr std::string_view kind = "divide_by";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// Channels of a, then channels of b. in: a, b that agree in N, H, W.
struct Concat {
  static constexpr std::string_view kind = "concat";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// Nearest neighbor, factor 2. in: x.
struct Upsample {
  static constexpr std::string_view kind = "upsample";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// Upsample, then a 3x3 convolution with stride 1 and a border of 1: together they need fewer multiplications.
// in: x, weight [Cout,Cin,3,3], optional bias [1,Cout,1,1].
struct UpsampleConv2d {
  static constexpr std::string_view kind = "upsample_conv2d";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// The mean of each window, as PyTorch's avg_pool2d with count_include_pad=False: of the pixels that are
// there, without padding. What no window reaches at the lower and right end is dropped. pad <= kernel / 2.
// in: x; out: [N,C,(H + 2 pad - kernel) / stride + 1, ...].
struct AvgPool {
  int kernel = 2, stride = 2, pad = 0;

  static constexpr std::string_view kind = "avg_pool";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// The largest value of each window, of equal ones the first in rows, which gets the gradient. Windows as
// those of AvgPool. in: x.
struct MaxPool {
  int kernel = 2, stride = 2, pad = 0;

  static constexpr std::string_view kind = "max_pool";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// The mean of all pixels, of words: of all tokens.
// in: x; out: [N,C,1,1].
struct MeanOfPixels {
  static constexpr std::string_view kind = "mean_of_pixels";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// Sinusoids of a timestep (Vaswani et al. 2017): frequency_i = max_period^(-i / (dim/2 - freq_shift)),
// out = [sin, cos], or [cos, sin] if flip_sin_to_cos; an odd `dim` ends in a zero.
// in: t [N,1,1,1] (an input; gets no gradient); out: [N,dim,1,1].
struct TimestepEmbedding {
  int dim = 2;
  double freq_shift = 0;
  bool flip_sin_to_cos = true;
  double max_period = 10000;

  static constexpr std::string_view kind = "timestep_embedding";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// Gaussian Fourier features of log t: arg_i = 2 pi w_i log(t), out = [sin, cos], or flipped.
// in: t [N,1,1,1], w [1,dim,1,1] (a fixed parameter; neither gets a gradient); out: [N,2 dim,1,1].
struct FourierEmbedding {
  bool flip_sin_to_cos = true;

  static constexpr std::string_view kind = "fourier_embedding";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// Row `index` of a table for every pixel. in: index [N,1,H,W] holding whole numbers in [0, rows) (a run with
// any other value throws Error usage), table [rows,dim,1,1]; out: [N,dim,H,W].
struct Embedding {
  static constexpr std::string_view kind = "embedding";
  static constexpr BackwardReads backward_reads{.inputs = true};
  Shape infer(std::span<const Shape> in) const;
};

// x + row t of a table at pixel t: learned positions. in: x [N,C,H,W], table [rows,C,1,1], rows >= H W.
struct AddPosition {
  static constexpr std::string_view kind = "add_position";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// Training: zeroes each element with `probability` and divides the rest by 1 - probability. The mask is
// Philox(dropout_key) at position c * H * W + pixel; inference: the identity.
struct Dropout {
  double probability = 0;
  int layer = 0;  // in [0, 65536); makes masks of different layers independent

  static constexpr std::string_view kind = "dropout";
  static constexpr BackwardReads backward_reads{};
  Shape infer(std::span<const Shape> in) const;
};

// The random numbers of sample `sample` of step `step`, counted over the whole batch of the step (all its
// parts).
RandomKey dropout_key(const Dropout& op, std::uint64_t seed, std::uint32_t step, std::uint32_t sample);

using Op = std::variant<Conv2d, ConvTranspose2d, Linear, GroupNorm, ChannelNorm, Attention, CrossAttention,
                        LinearAttention, Activate, Gate, Add, Affine, DivideBy, Concat, Upsample,
                        UpsampleConv2d, AvgPool, MaxPool, MeanOfPixels, TimestepEmbedding, FourierEmbedding,
                        Embedding, AddPosition, Dropout>;

std::string_view kind(const Op& op);
BackwardReads backward_reads(const Op& op);

// The output shape. Throws Error(usage) that names the op and the shapes it cannot accept.
Shape infer(const Op& op, std::span<const Shape> in);

}  // namespace diffusion
