#include "device/cpu/kernels/attention_bf16.h"

#ifdef __AVX512BF16__

#include <omp.h>

#include <cmath>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

// A pair is two bf16 that one instruction multiplies and adds: the lower half is the earlier one.
using Pair = std::uint32_t;

std::int64_t round_up(std::int64_t x, std::int64_t to) {
  return (x + to - 1) / to * to;
}

// Names of matrices: `rows` have a token per row, pairs along features; `interleaved` have two tokens per row, a pair
// per feature; `by_feature` are transposed rows; `by_token_pair` transposed interleaved ones.
constexpr float kLog2E = 1.44269504f;

struct Sizes {
  std::int64_t tokens, columns, token_pairs, head_dim, features,
      width;  // columns, features: padded to vectors
  std::int64_t row_pairs() const { return features / 2; }
  std::int64_t feature_pairs() const { return (head_dim + 1) / 2; }
  float scale;
  float log2_scale() const { return scale * kLog2E; }  // exp(scale x) = 2^(log2_scale x)
};

Sizes sizes_of(const AttentionSpec& spec) {
  const std::int64_t width = spec.qkv.channels / 3, head_dim = width / spec.heads, tokens = spec.qkv.pixels;
  return {tokens, round_up(tokens, kLanes),        (tokens + 1) / 2, head_dim, round_up(head_dim, kLanes),
          width,  1.f / std::sqrt(float(head_dim))};
}

constexpr std::int64_t kRowBlock = 12;  // queries whose scores are in flight; a multiple of kScoreRows
constexpr int kScoreRows = 4;           // queries whose scores and their gradients are in registers; even

// The matrices of one thread. Every one is padded to whole 16 x 16 tiles, so transposes need no edges.
struct Scratch {
  bf16 *q, *k, *v, *out, *dout;                // rows: [columns][features]
  Pair *k_by_feature, *v_by_feature;           // [feature pairs][columns]
  Pair *k_interleaved, *v_interleaved;         // [token pairs][features]
  Pair *q_by_token_pair, *dout_by_token_pair;  // [features][token pairs]
  Pair *p_interleaved, *ds_interleaved;        // [token pairs][columns]
  float* scores;                               // [kRowBlock][columns]
  bf16* probabilities;                         // [kRowBlock][columns]: or their gradients
  float *log_sum_exp, *dot;                    // [columns + kScoreRows]
  float *by_feature, *result;                  // [features][columns], [columns][features]
  Pair* swap;                                  // [token pairs][features]

  std::int64_t floats;

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
    out = rows();
    dout = rows();
    k_by_feature = matrix(round_up(s.features / 2, kLanes), s.columns);
    v_by_feature = matrix(round_up(s.features / 2, kLanes), s.columns);
    k_interleaved = matrix(pairs, s.features);
    v_interleaved = matrix(pairs, s.features);
    q_by_token_pair = matrix(s.features, pairs);
    dout_by_token_pair = matrix(s.features, pairs);
    p_interleaved = matrix(s.token_pairs + kScoreRows, s.columns);
    ds_interleaved = matrix(s.token_pairs + kScoreRows, s.columns);
    scores = take(kRowBlock * s.columns);
    log_sum_exp = take(s.columns + kScoreRows);
    dot = take(s.columns + kScoreRows);
    probabilities = reinterpret_cast<bf16*>(take(kRowBlock * s.columns / 2));
    by_feature = take(s.features * s.columns);
    result = take(s.columns * s.features);
    swap = matrix(pairs, s.features);
    floats = used;
  }
};

// 16 x 16 words.
void transpose_tile(const Pair* from, std::int64_t from_stride, Pair* to, std::int64_t to_stride) {
  __m512i r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from + i * from_stride);
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int half = 0; half < 2; ++half)  // rows 0-7 and 8-15
    for (int i = 0; i < 4; ++i) {
      t[8 * half + i] = _mm512_shuffle_i32x4(r[8 * half + i], r[8 * half + 4 + i], 0x88);
      t[8 * half + 4 + i] = _mm512_shuffle_i32x4(r[8 * half + i], r[8 * half + 4 + i], 0xdd);
    }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_si512(to + i * to_stride, _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88));
    _mm512_storeu_si512(to + (8 + i) * to_stride, _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd));
    _mm512_storeu_si512(to + (4 + i) * to_stride, _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88));
    _mm512_storeu_si512(to + (12 + i) * to_stride, _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd));
  }
}

void transpose(std::int64_t rows, std::int64_t columns, const Pair* from, std::int64_t from_stride, Pair* to,
               std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; r += 16)
    for (std::int64_t c = 0; c < columns; c += 16)
      transpose_tile(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
}

// Two rows of bf16 become one row of pairs.
void interleave(const Sizes& s, const bf16* rows, Pair* out) {
  for (std::int64_t t = 0; t < s.token_pairs; ++t)
    for (std::int64_t d = 0; d < s.features; d += kLanes) {
      HalfVec first, second;
      std::memcpy(&first, rows + 2 * t * s.features + d, sizeof first);
      std::memcpy(&second, rows + (2 * t + 1) * s.features + d, sizeof second);
      const BitVec pair = __builtin_convertvector(first, BitVec) | __builtin_convertvector(second, BitVec)
                                                                       << 16;
      std::memcpy(out + t * s.features + d, &pair, sizeof pair);
    }
}

// c[m, n] = sum over pairs of a[m, k] . b[k, n]
struct Product {
  const Pair* a;
  std::int64_t a_stride;
  const Pair* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride, pairs;
};

template <int kRows, int kVecs>
void product_tile(const Product& o, std::int64_t row, std::int64_t column) {
  __m512 acc[kRows][kVecs];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) acc[r][v] = _mm512_setzero_ps();
  const Pair* a = o.a + row * o.a_stride;
  for (std::int64_t k = 0; k < o.pairs; ++k) {
    __m512bh b[kVecs];
    for (int v = 0; v < kVecs; ++v)
      b[v] = (__m512bh)_mm512_loadu_si512(o.b + k * o.b_stride + column + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const __m512bh ak = (__m512bh)_mm512_set1_epi32(int(a[r * o.a_stride + k]));
      for (int v = 0; v < kVecs; ++v) acc[r][v] = _mm512_dpbf16_ps(acc[r][v], ak, b[v]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v)
      _mm512_storeu_ps(o.c + (row + r) * o.c_stride + column + v * kLanes, acc[r][v]);
}

template <int kRows, int kVecs>
void product_panel(const Product& o, std::int64_t rows, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) product_tile<kRows, kVecs>(o, row, column);
  for (; row + 2 <= rows; row += 2) product_tile<2, kVecs>(o, row, column);
  if (row < rows) product_tile<1, kVecs>(o, row, column);
}

void multiply(std::int64_t rows, std::int64_t columns, const Product& o) {
  std::int64_t column = 0;
  for (; column + 4 * kLanes <= columns; column += 4 * kLanes) product_panel<6, 4>(o, rows, column);
  for (; column + 2 * kLanes <= columns; column += 2 * kLanes) product_panel<12, 2>(o, rows, column);
  if (column < columns) product_panel<12, 1>(o, rows, column);
}

// Channels [first, first + head_dim) of a sample as rows; what pads tokens and features is zero.
void gather(const BlockedShape& shape, const Sizes& s, const bf16* sample, std::int64_t first, bf16* rows) {
  const bool whole = shape.block == kLanes && first % kLanes == 0 && s.head_dim % kLanes == 0;
  if (!whole) std::memset(rows, 0, std::size_t(s.columns * s.features) * sizeof(bf16));
  for (std::int64_t d = 0; d < s.head_dim; d += whole ? kLanes : 1) {
    const bf16* from = sample + channel_offset(shape, first + d);
    for (std::int64_t t = 0; t < s.tokens; ++t)
      std::memcpy(rows + t * s.features + d, from + t * shape.block, (whole ? kLanes : 1) * sizeof(bf16));
  }
  std::memset(rows + s.tokens * s.features, 0,
              std::size_t((s.columns - s.tokens) * s.features) * sizeof(bf16));
}

void scatter(const BlockedShape& shape, const Sizes& s, const float* rows, std::int64_t first, float factor,
             bool accumulate, bf16* sample) {
  const bool whole = shape.block == kLanes && first % kLanes == 0 && s.head_dim % kLanes == 0;
  for (std::int64_t d = 0; d < s.head_dim; d += whole ? kLanes : 1) {
    bf16* to = sample + channel_offset(shape, first + d);
    for (std::int64_t t = 0; t < s.tokens; ++t, to += shape.block) {
      const float* from = rows + t * s.features + d;
      if (whole)
        store(to, accumulate ? load(to) + load(from) * splat(factor) : load(from) * splat(factor));
      else
        store_one(to, accumulate ? load_one(to) + *from * factor : *from * factor);
    }
  }
}

// 1 in the lanes of the last vector of a row of scores that hold tokens, else 0.
Vec tail_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = s.columns - kLanes + i < s.tokens ? 1.f : 0.f;
  return load(mask);
}

struct RowSum {
  float normalizer, log_sum_exp;  // of the scaled scores
};

// Scores to probabilities times the normalizer, in bf16.
RowSum softmax_row(const Sizes& s, Vec mask, const float* scores, bf16* probabilities) {
  const std::int64_t last = s.columns - kLanes;
  Vec top = mask != Vec{} ? load(scores + last) : splat(-1e30f);
  for (std::int64_t t = 0; t < last; t += kLanes) top = max(top, load(scores + t));
  const float highest = largest(top);
  const Vec factor = splat(s.log2_scale()), offset = splat(-highest * s.log2_scale());
  Vec total{};
  for (std::int64_t t = 0; t < last; t += kLanes) {
    const Vec e = quick_exp2(load(scores + t) * factor + offset);
    total += e;
    store(probabilities + t, e);
  }
  const Vec e = quick_exp2(load(scores + last) * factor + offset) * mask;
  store(probabilities + last, e);
  const float normalizer = sum(total + e);
  return {normalizer, highest * s.scale + std::log(normalizer)};
}

const Pair* pairs(const bf16* rows) {
  return reinterpret_cast<const Pair*>(rows);
}

void forward_head(const Sizes& s, Vec mask, const Scratch& w, float* log_sum_exp) {
  transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
  interleave(s, w.v, w.v_interleaved);
  for (std::int64_t first = 0; first < s.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.tokens ? kRowBlock : s.tokens - first;
    multiply(rows, s.columns,
             {pairs(w.q) + first * s.row_pairs(), s.row_pairs(), w.k_by_feature, s.columns, w.scores,
              s.columns, s.feature_pairs()});
    float inverse[kRowBlock];
    for (std::int64_t r = 0; r < rows; ++r) {
      const RowSum row = softmax_row(s, mask, w.scores + r * s.columns, w.probabilities + r * s.columns);
      inverse[r] = 1.f / row.normalizer;
      if (log_sum_exp) log_sum_exp[first + r] = row.log_sum_exp;
    }
    float* result = w.result + first * s.features;
    multiply(rows, s.features,
             {pairs(w.probabilities), s.columns / 2, w.v_interleaved, s.features, result, s.features,
              s.token_pairs});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        store(result + r * s.features + d, load(result + r * s.features + d) * splat(inverse[r]));
  }
}

// What the softmax of each query subtracts in the backward: the sum over keys of p dp, which is the product of the
// output and its gradient.
void fill_dot(const Sizes& s, const Scratch& w) {
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    Vec total{};
    for (std::int64_t d = 0; d < s.features; d += kLanes)
      total += load(w.out + t * s.features + d) * load(w.dout + t * s.features + d);
    w.dot[t] = sum(total);
  }
}

// The lanes of a and b as pairs.
void store_pairs(Pair* to, Vec a, Vec b) {
  const __m512i packed = bits_of<__m512i>(_mm512_cvtne2ps_pbh(as_m512(b), as_m512(a)));  // all of a, all of b
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, packed));
}

// Scores s = scale q k and dp = dout v of kScoreRows queries from number `row` and kVecs vectors of keys, and from them
// p = exp(s - log_sum_exp) and ds = p (dp - dot), all in registers. `block`: first query of those in flight.
template <int kVecs>
void score_tile(const Sizes& s, const Scratch& w, std::int64_t block, std::int64_t row, std::int64_t column,
                Vec mask) {
  __m512 scores[kScoreRows][kVecs], dp[kScoreRows][kVecs];
  for (int r = 0; r < kScoreRows; ++r)
    for (int v = 0; v < kVecs; ++v) scores[r][v] = dp[r][v] = _mm512_setzero_ps();
  const Pair *q = pairs(w.q) + row * s.row_pairs(), *dout = pairs(w.dout) + row * s.row_pairs();
  const Pair *k = w.k_by_feature + column, *values = w.v_by_feature + column;
  for (std::int64_t f = 0; f < s.feature_pairs(); ++f, k += s.columns, values += s.columns)
    for (int v = 0; v < kVecs; ++v) {
      const auto k_pairs = (__m512bh)_mm512_loadu_si512(k + v * kLanes);
      const auto v_pairs = (__m512bh)_mm512_loadu_si512(values + v * kLanes);
      for (int r = 0; r < kScoreRows; ++r) {
        const auto q_pair = (__m512bh)_mm512_set1_epi32(int(q[r * s.row_pairs() + f]));
        const auto dout_pair = (__m512bh)_mm512_set1_epi32(int(dout[r * s.row_pairs() + f]));
        scores[r][v] = _mm512_dpbf16_ps(scores[r][v], q_pair, k_pairs);
        dp[r][v] = _mm512_dpbf16_ps(dp[r][v], dout_pair, v_pairs);
      }
    }
  const Vec factor = splat(s.log2_scale());
  for (int r = 0; r < kScoreRows; r += 2)
    for (int v = 0; v < kVecs; ++v) {
      Vec p[2], ds[2];
      for (int i = 0; i < 2; ++i) {
        const Vec offset = splat(w.log_sum_exp[row + r + i] * -kLog2E), dot = splat(w.dot[row + r + i]);
        p[i] = quick_exp2(bits_of<Vec>(scores[r + i][v]) * factor + offset);
        if (column + v * kLanes == s.columns - kLanes) p[i] *= mask;
        ds[i] = p[i] * (bits_of<Vec>(dp[r + i][v]) - dot);
        store(w.probabilities + (row - block + r + i) * s.columns + column + v * kLanes, ds[i]);
      }
      const std::int64_t to = (row + r) / 2 * s.columns + column + v * kLanes;
      store_pairs(w.p_interleaved + to, p[0], p[1]);
      store_pairs(w.ds_interleaved + to, ds[0], ds[1]);
    }
}

// Leaves dq (unscaled) in w.result, and p and ds interleaved for dv and dk.
void backward_scores(const Sizes& s, Vec mask, const Scratch& w) {
  for (std::int64_t first = 0; first < s.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.tokens ? kRowBlock : s.tokens - first;
    for (std::int64_t row = first; row < first + rows; row += kScoreRows) {
      std::int64_t column = 0;
      for (; column + 3 * kLanes <= s.columns; column += 3 * kLanes)
        score_tile<3>(s, w, first, row, column, mask);
      for (; column < s.columns; column += kLanes) score_tile<1>(s, w, first, row, column, mask);
    }
    multiply(rows, s.features,
             {pairs(w.probabilities), s.columns / 2, w.k_interleaved, s.features,
              w.result + first * s.features, s.features, s.token_pairs});
  }
}

// result = (left^T right)^T for token-pair matrices: dv from dout and p, dk from q and ds.
void product_over_tokens(const Sizes& s, const Scratch& w, const Pair* left_by_token_pair,
                         const Pair* right) {
  const std::int64_t stride = round_up(s.token_pairs, kLanes);
  multiply(s.features, s.columns,
           {left_by_token_pair, stride, right, s.columns, w.by_feature, s.columns, s.token_pairs});
  transpose(s.features, s.columns, reinterpret_cast<const Pair*>(w.by_feature), s.columns,
            reinterpret_cast<Pair*>(w.result), s.features);
}

void by_token_pair(const Sizes& s, const Scratch& w, const bf16* rows, Pair* out) {
  interleave(s, rows, w.swap);
  transpose(round_up(s.token_pairs, kLanes), s.features, w.swap, s.features, out,
            round_up(s.token_pairs, kLanes));
}

}  // namespace

std::size_t pair_attention_workspace(const AttentionSpec& spec) {
  return std::size_t(Scratch(sizes_of(spec), nullptr).floats);
}

void pair_attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* log_sum_exp,
                            float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
  const std::int64_t per_thread = std::int64_t(pair_attention_workspace(spec));
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w(s, workspace + omp_get_thread_num() * per_thread);
    const bf16* sample = static_cast<const bf16*>(qkv) + n * spec.qkv.sample_elements();
    bf16* out_sample = static_cast<bf16*>(out) + n * out_shape.sample_elements();
    gather(spec.qkv, s, sample, first, w.q);
    gather(spec.qkv, s, sample, s.width + first, w.k);
    gather(spec.qkv, s, sample, 2 * s.width + first, w.v);
    forward_head(s, mask, w, log_sum_exp ? log_sum_exp + job * s.tokens : nullptr);
    scatter(out_shape, s, w.result, first, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

void pair_attention_backward(const AttentionSpec& spec, const void* qkv, const void* out,
                             const float* log_sum_exp, const void* dout, void* dqkv, bool accumulate,
                             float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
  const std::int64_t per_thread = std::int64_t(pair_attention_workspace(spec));
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w(s, workspace + omp_get_thread_num() * per_thread);
    const bf16* sample = static_cast<const bf16*>(qkv) + n * spec.qkv.sample_elements();
    bf16* dsample = static_cast<bf16*>(dqkv) + n * spec.qkv.sample_elements();
    gather(spec.qkv, s, sample, first, w.q);
    gather(spec.qkv, s, sample, s.width + first, w.k);
    gather(spec.qkv, s, sample, 2 * s.width + first, w.v);
    gather(out_shape, s, static_cast<const bf16*>(out) + n * out_shape.sample_elements(), first, w.out);
    gather(out_shape, s, static_cast<const bf16*>(dout) + n * out_shape.sample_elements(), first, w.dout);
    transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
    transpose(s.columns, s.row_pairs(), pairs(w.v), s.row_pairs(), w.v_by_feature, s.columns);
    interleave(s, w.k, w.k_interleaved);
    by_token_pair(s, w, w.q, w.q_by_token_pair);
    by_token_pair(s, w, w.dout, w.dout_by_token_pair);

    // Queries beyond the last have the probability 0.
    for (std::int64_t t = 0; t < s.columns + kScoreRows; ++t) {
      w.log_sum_exp[t] = t < s.tokens ? log_sum_exp[job * s.tokens + t] : 1e30f;
      w.dot[t] = 0;
    }
    fill_dot(s, w);
    backward_scores(s, mask, w);
    scatter(spec.qkv, s, w.result, first, s.scale, accumulate, dsample);
    product_over_tokens(s, w, w.q_by_token_pair, w.ds_interleaved);
    scatter(spec.qkv, s, w.result, s.width + first, s.scale, accumulate, dsample);
    product_over_tokens(s, w, w.dout_by_token_pair, w.p_interleaved);
    scatter(spec.qkv, s, w.result, 2 * s.width + first, 1.f, accumulate, dsample);
    if (!accumulate && job % spec.heads == spec.heads - 1) clear_tail(spec.qkv, dsample);
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
