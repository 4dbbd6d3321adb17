#pragma once

// The matrices of one attention head for products of pairs of bf16 (bf16_pairs.h), and ways between them.
//
// `rows` have a token per row, pairs along features; `interleaved` have two tokens per row, a pair per
// feature; `by_feature` are transposed rows.

#ifdef __AVX512BF16__

#include <cmath>

#include "device/cpu/kernels/bf16_pairs.h"
#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/transpose.h"

namespace diffusion::DIFFUSION_ISA::pair_attention {

inline std::int64_t round_up(std::int64_t x, std::int64_t to) {
  return (x + to - 1) / to * to;
}

inline constexpr float kLog2E = 1.44269504f;

struct Sizes {
  std::int64_t tokens, columns, token_pairs, head_dim, features,
      width;  // columns, features: padded to vectors
  std::int64_t row_pairs() const { return features / 2; }
  std::int64_t feature_pairs() const { return (head_dim + 1) / 2; }
  // From one row of probabilities to the next: a cache line more than the row, because lines that are
  // multiples of 4096 bytes apart share one set of the first cache, which holds fewer than there are rows.
  std::int64_t probability_row() const { return columns + 32; }
  float scale;
  float log2_scale() const { return scale * kLog2E; }  // exp(scale x) = 2^(log2_scale x)
};

// Matrices are padded to whole vectors, or to the depth of a product of tiles.
#ifdef __AMX_BF16__
inline constexpr std::int64_t kPadding = 32;
#else
inline constexpr std::int64_t kPadding = kLanes;
#endif

// `width`: channels of all heads.
inline Sizes sizes_of_tokens(std::int64_t tokens, std::int64_t width, int heads) {
  const std::int64_t head_dim = width / heads, columns = round_up(tokens, kPadding);
  const std::int64_t token_pairs = kPadding == kLanes ? (tokens + 1) / 2 : columns / 2;
  return {tokens,
          columns,
          token_pairs,
          head_dim,
          round_up(head_dim, kPadding),
          width,
          1.f / std::sqrt(float(head_dim))};
}

inline Sizes sizes_of(const AttentionSpec& spec) {
  return sizes_of_tokens(spec.qkv.pixels, spec.qkv.channels / 3, spec.heads);
}

inline constexpr std::int64_t kRowBlock = 12;  // queries whose scores are in flight; a multiple of kScoreRows
inline constexpr int kScoreRows = 4;  // queries whose scores and their gradients are in registers; even

// The matrices of one thread. Every one is padded to whole 16 x 16 tiles, so transposes need no edges.
struct Scratch {
  bf16 *q, *k, *v, *out, *dout;                                            // rows: [columns][features]
  Pair *k_by_feature, *v_by_feature;                                       // [feature pairs][columns]
  Pair *q_interleaved, *k_interleaved, *v_interleaved, *dout_interleaved;  // [token pairs][features]
  Pair *p_interleaved, *ds_interleaved;                                    // [token pairs][columns]
  float* scores;                                                           // [kRowBlock][columns]
  bf16* probabilities;       // [kRowBlock][columns]: or their gradients
  float *log_sum_exp, *dot;  // [columns + kScoreRows]
  float* result;             // [columns][features]

  std::int64_t forward_floats, floats;  // of those that the forward has, and of all

  Scratch(const Sizes& s, float* base) {
    std::int64_t used = 0;
    const auto take = [&](std::int64_t count) {
      float* at = base + used;
      used += round_up(count, kLanes);
      return at;
    };
    const std::int64_t pairs = round_up(s.token_pairs, kLanes), slack = kLanes * kLanes;
    const auto rows = [&] { return reinterpret_cast<bf16*>(take(s.columns * s.features / 2 + slack)); };
    const auto matrix = [&](std::int64_t r, std::int64_t c) { return reinterpret_cast<Pair*>(take(r * c)); };
    q = rows();
    k = rows();
    v = rows();
    k_by_feature = matrix(round_up(s.features / 2, kLanes), s.columns);
    v_interleaved = matrix(pairs, s.features);
    scores = take(kRowBlock * s.columns);
    probabilities = reinterpret_cast<bf16*>(take(kRowBlock * s.probability_row() / 2));
    result = take(s.columns * s.features);
    forward_floats = used;
    out = rows();
    dout = rows();
    v_by_feature = matrix(round_up(s.features / 2, kLanes), s.columns);
    q_interleaved = matrix(pairs, s.features);
    k_interleaved = matrix(pairs, s.features);
    dout_interleaved = matrix(pairs, s.features);
    p_interleaved = matrix(s.token_pairs + kScoreRows, s.columns);
    ds_interleaved = matrix(s.token_pairs + kScoreRows, s.columns);
    log_sum_exp = take(s.columns + kScoreRows);
    dot = take(s.columns + kScoreRows);
    floats = used;
  }
};

// Two rows of bf16 become one row of pairs.
inline void interleave(const Sizes& s, const bf16* rows, Pair* out) {
  const auto widened = [](const bf16* p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  };
  const std::int64_t features = s.features;
  for (std::int64_t t = 0; t < s.token_pairs; ++t, rows += 2 * features, out += features)
    for (std::int64_t d = 0; d < features; d += kLanes)
      _mm512_storeu_si512(
          out + d, _mm512_or_si512(widened(rows + d), _mm512_slli_epi32(widened(rows + features + d), 16)));
}

// Calls what(d, count) for runs of channels from number first + d, each within a block.
template <class What>
inline void for_block_runs(const BlockedShape& shape, std::int64_t first, std::int64_t channels, What what) {
  for (std::int64_t d = 0; d < channels;) {
    const std::int64_t in_block = shape.block - (first + d) % shape.block;
    const std::int64_t count = d + in_block < channels ? in_block : channels - d;
    what(d, count);
    d += count;
  }
}

// Channels [first, first + head_dim) of a sample as rows; what pads tokens and features is zero.
inline void gather(const BlockedShape& shape, const Sizes& s, const bf16* sample, std::int64_t first,
                   bf16* rows) {
  const std::int64_t tokens = s.tokens, features = s.features, block = shape.block;
  if (s.head_dim < features) std::memset(rows, 0, std::size_t(tokens * features) * sizeof(bf16));
  for_block_runs(shape, first, s.head_dim, [&](std::int64_t d, std::int64_t count) {
    const bf16* from = sample + channel_offset(shape, first + d);
    bf16* to = rows + d;
    if (count == kLanes)
      for (std::int64_t t = 0; t < tokens; ++t)
        std::memcpy(to + t * features, from + t * block, kLanes * sizeof(bf16));
    else if (count == kLanes / 2)
      for (std::int64_t t = 0; t < tokens; ++t)
        std::memcpy(to + t * features, from + t * block, kLanes / 2 * sizeof(bf16));
    else
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t i = 0; i < count; ++i) to[t * features + i] = from[t * block + i];
  });
  std::memset(rows + tokens * features, 0, std::size_t((s.columns - tokens) * features) * sizeof(bf16));
}

// Queries, keys and values of the head whose channels begin at `first`.
template <class Matrices>
inline void gather_qkv(const AttentionSpec& spec, const Sizes& s, const bf16* sample, std::int64_t first,
                       const Matrices& w) {
  gather(spec.qkv, s, sample, first, w.q);
  gather(spec.qkv, s, sample, s.width + first, w.k);
  gather(spec.qkv, s, sample, 2 * s.width + first, w.v);
}

inline void scatter(const BlockedShape& shape, const Sizes& s, const float* rows, std::int64_t first,
                    float factor, bool accumulate, bf16* sample) {
  const std::int64_t tokens = s.tokens, features = s.features, block = shape.block;
  for_block_runs(shape, first, s.head_dim, [&](std::int64_t d, std::int64_t count) {
    bf16* to = sample + channel_offset(shape, first + d);
    const float* from = rows + d;
    for (std::int64_t t = 0; t < tokens; ++t, to += block, from += features) {
      if (count == kLanes) {
        store(to, accumulate ? load(to) + load(from) * splat(factor) : load(from) * splat(factor));
      } else if (count == kLanes / 2 && !accumulate) {
        const auto half = _mm256_cvtneps_pbh(_mm256_mul_ps(_mm256_loadu_ps(from), _mm256_set1_ps(factor)));
        std::memcpy(to, &half, sizeof half);
      } else {
        for (std::int64_t i = 0; i < count; ++i)
          store_one(to + i, accumulate ? load_one(to + i) + from[i] * factor : from[i] * factor);
      }
    }
  });
}

// 1 in the lanes of the last vector of a row of scores that hold tokens, else 0.
inline Vec tail_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = s.columns - kLanes + i < s.tokens ? 1.f : 0.f;
  return load(mask);
}

// The sum of each of 16 rows of 16 numbers.
inline Vec row_sums(const Vec* rows) {
  __m512 r[16];
  for (int i = 0; i < 16; ++i) r[i] = as_m512(rows[i]);
  for (int i = 0; i < 8; ++i)
    r[i] =
        _mm512_add_ps(_mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]), _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]));
  for (int i = 0; i < 4; ++i)
    r[i] = _mm512_add_ps(_mm512_shuffle_ps(r[2 * i], r[2 * i + 1], 0x44),
                         _mm512_shuffle_ps(r[2 * i], r[2 * i + 1], 0xee));
  for (int i = 0; i < 2; ++i)
    r[i] = _mm512_add_ps(_mm512_shuffle_f32x4(r[2 * i], r[2 * i + 1], 0x44),
                         _mm512_shuffle_f32x4(r[2 * i], r[2 * i + 1], 0xee));
  return bits_of<Vec>(
      _mm512_add_ps(_mm512_shuffle_f32x4(r[0], r[1], 0x88), _mm512_shuffle_f32x4(r[0], r[1], 0xdd)));
}

// What the softmax of each query subtracts in the backward: the sum over keys of p dp, which is the product
// of the output and its gradient.
inline void fill_dot(const Sizes& s, const bf16* out, const bf16* dout, float* dot) {
  for (std::int64_t t = 0; t < s.columns; t += kLanes) {
    Vec products[kLanes] = {};
    for (std::int64_t i = 0; i < kLanes; ++i)
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        products[i] += load(out + (t + i) * s.features + d) * load(dout + (t + i) * s.features + d);
    store(dot + t, row_sums(products));
  }
}

inline const Pair* pairs(const bf16* rows) {
  return reinterpret_cast<const Pair*>(rows);
}

template <int kRows, int kVecs>
inline void multiply_panel(PairProduct p, std::int64_t rows, std::int64_t column) {
  p.b += column;
  p.c += column;
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) multiply_tile<kRows, kVecs>(p, row);
  for (; row + 2 <= rows; row += 2) multiply_tile<2, kVecs>(p, row);
  if (row < rows) multiply_tile<1, kVecs>(p, row);
}

// c[rows, columns] = a b, where a has pairs along its rows.
inline void multiply(std::int64_t rows, std::int64_t columns, const PairProduct& product) {
  std::int64_t column = 0;
  for (; column + 4 * kLanes <= columns; column += 4 * kLanes) multiply_panel<6, 4>(product, rows, column);
  for (; column + 2 * kLanes <= columns; column += 2 * kLanes) multiply_panel<12, 2>(product, rows, column);
  if (column < columns) multiply_panel<12, 1>(product, rows, column);
}

}  // namespace diffusion::DIFFUSION_ISA::pair_attention

#endif
