#include "device/cpu/kernels/attention_bf16.h"

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)  // attention_amx_backward.cpp

#include <omp.h>

#include <algorithm>

#include "device/cpu/kernels/attention_bf16_head.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;

// products[r][v] = sum over features of rows[r] and vector v of by_feature, for kScoreRows rows.
// Inlined, so that they stay in registers.
template <int kVecs>
[[gnu::always_inline]] inline void row_products(const Sizes& s, const Pair* rows, const Pair* by_feature,
                                                Vec* products) {
  const std::int64_t row_pairs = s.row_pairs(), columns = s.columns;
  unroll<kScoreRows * kVecs>([&](auto i) { products[i] = Vec{}; });
  for (std::int64_t f = s.feature_pairs(); f > 0; --f, ++rows, by_feature += columns) {
    __m512i column_pairs[kVecs];
    unroll<kVecs>([&](auto v) { column_pairs[v] = _mm512_loadu_si512(by_feature + v * kLanes); });
    unroll<kScoreRows>([&](auto r) {
      const __m512i row_pair = broadcast(rows + r * row_pairs);
      unroll<kVecs>([&](auto v) {
        products[r * kVecs + v] = add_products(products[r * kVecs + v], column_pairs[v], row_pair);
      });
    });
  }
}

// Scores s = scale q k and dp = dout v of kScoreRows queries from number `row` and kVecs vectors of keys, and
// from them p = exp(s - log_sum_exp) and ds = p (dp - dot), all in registers. `block`: first query of those
// in flight. `mask`: of the last keys.
template <int kVecs>
void score_tile(const Sizes& s, const Scratch& w, std::int64_t block, std::int64_t row, std::int64_t column,
                Vec mask) {
  const std::int64_t row_pairs = s.row_pairs(), columns = s.columns;
  if (column + kVecs * kLanes < columns) mask = splat(1.f);
  Vec p[kScoreRows * kVecs], ds[kScoreRows * kVecs];
  row_products<kVecs>(s, pairs(w.q) + row * row_pairs, w.k_by_feature + column, p);
  const Vec factor = splat(s.log2_scale());
  unroll<kScoreRows>([&](auto r) {
    const Vec offset = splat(w.log_sum_exp[row + r] * -kLog2E);
    unroll<kVecs>([&](auto v) {
      p[r * kVecs + v] = quick_exp2(p[r * kVecs + v] * factor + offset);
      if constexpr (v == kVecs - 1) p[r * kVecs + v] *= mask;
    });
  });
  row_products<kVecs>(s, pairs(w.dout) + row * row_pairs, w.v_by_feature + column, ds);
  bf16* gradients = w.probabilities + (row - block) * columns + column;
  unroll<kScoreRows>([&](auto r) {
    const Vec dot = splat(w.dot[row + r]);
    unroll<kVecs>([&](auto v) {
      ds[r * kVecs + v] = p[r * kVecs + v] * (ds[r * kVecs + v] - dot);
      store(gradients + v * kLanes, ds[r * kVecs + v]);
    });
    gradients += columns;
  });
  std::int64_t to = row / 2 * columns + column;
  unroll<kScoreRows / 2>([&](auto half) {
    constexpr int first = 2 * half * kVecs, second = first + kVecs;
    unroll<kVecs>([&](auto v) {
      store_pairs(w.p_interleaved + to + v * kLanes, p[first + v], p[second + v]);
      store_pairs(w.ds_interleaved + to + v * kLanes, ds[first + v], ds[second + v]);
    });
    to += columns;
  });
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
             {pairs(w.probabilities), s.columns / 2, 1, w.k_interleaved, s.features,
              w.result + first * s.features, s.features, s.token_pairs, false});
  }
}

// w.result = weights^T queries, sums over queries: dk of ds and q, dv of p and dout.
void product_over_queries(const Sizes& s, const Scratch& w, const Pair* weights, const Pair* queries) {
  multiply(s.tokens, s.features,
           {weights, 1, s.columns, queries, s.features, w.result, s.features, s.token_pairs, false});
}

}  // namespace

void pair_attention_backward(const AttentionSpec& spec, const void* qkv, const void* out,
                             const float* log_sum_exp, const void* dout, void* dqkv, bool accumulate,
                             float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
  const std::int64_t per_thread = std::int64_t(pair_attention_workspace(spec, true));
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w(s, workspace + omp_get_thread_num() * per_thread);
    const bf16* sample = static_cast<const bf16*>(qkv) + n * spec.qkv.sample_elements();
    bf16* dsample = static_cast<bf16*>(dqkv) + n * spec.qkv.sample_elements();
    gather_qkv(spec, s, sample, first, w);
    gather(out_shape, s, static_cast<const bf16*>(out) + n * out_shape.sample_elements(), first, w.out);
    gather(out_shape, s, static_cast<const bf16*>(dout) + n * out_shape.sample_elements(), first, w.dout);
    transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
    transpose(s.columns, s.row_pairs(), pairs(w.v), s.row_pairs(), w.v_by_feature, s.columns);
    interleave(s, w.k, w.k_interleaved);
    interleave(s, w.q, w.q_interleaved);
    interleave(s, w.dout, w.dout_interleaved);

    // Queries beyond the last have the probability 0.
    for (std::int64_t t = 0; t < s.columns + kScoreRows; ++t)
      w.log_sum_exp[t] = t < s.tokens ? log_sum_exp[job * s.tokens + t] : 1e30f;
    std::fill_n(w.dot + s.columns, kScoreRows, 0.f);
    fill_dot(s, w.out, w.dout, w.dot);
    backward_scores(s, mask, w);
    scatter(spec.qkv, s, w.result, first, s.scale, accumulate, dsample);
    product_over_queries(s, w, w.ds_interleaved, w.q_interleaved);
    scatter(spec.qkv, s, w.result, s.width + first, s.scale, accumulate, dsample);
    product_over_queries(s, w, w.p_interleaved, w.dout_interleaved);
    scatter(spec.qkv, s, w.result, 2 * s.width + first, 1.f, accumulate, dsample);
    if (!accumulate && job % spec.heads == spec.heads - 1) clear_tail(spec.qkv, dsample);
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
