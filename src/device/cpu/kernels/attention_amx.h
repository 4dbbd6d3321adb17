#pragma once

// Attention in products of tiles (AMX), one head of one sample at a time: the matrices and their products.
// What is left to vectors is the softmax and its gradient.

#ifdef __AMX_BF16__

#include <omp.h>

#include "device/cpu/kernels/amx.h"
#include "device/cpu/kernels/attention_bf16_head.h"

namespace diffusion::DIFFUSION_ISA::pair_attention {

using amx::kRows;

// Queries whose scores are in flight; columns are a multiple of it.
inline constexpr std::int64_t kBlock = 32;
static_assert(kPadding == kBlock && kPadding == amx::kDepth);

// The matrices of one thread: names as in attention_bf16_head.h. Of queries beyond the last, probabilities
// are zero.
struct Matrices {
  bf16 *q, *k, *v, *out, *dout;                                            // [columns][features]
  Pair *k_by_feature, *v_by_feature;                                       // [feature pairs][columns]
  Pair *q_interleaved, *k_interleaved, *v_interleaved, *dout_interleaved;  // [token pairs][features]
  bf16 *q_by_feature, *dout_by_feature;                                    // [features][columns]
  Pair *p_interleaved, *ds_interleaved;                                    // [token pairs][columns]
  float *scores, *dp;                                                      // [kBlock][columns]
  bf16* weights;                      // [kBlock][columns]: probabilities or ds
  float *log_sum_exp, *dot;           // [columns]
  float *result, *result_by_feature;  // [columns][features], its transpose
  std::int64_t floats;

  Matrices(const Sizes& s, float* base) {
    std::int64_t used = 0;
    const auto take = [&](std::int64_t count) {
      float* at = base + used;
      used += round_up(count, kLanes);
      return at;
    };
    const std::int64_t rows = s.columns * s.features / 2;  // floats in a matrix of bf16
    for (bf16** m : {&q, &k, &v, &out, &dout, &q_by_feature, &dout_by_feature})
      *m = reinterpret_cast<bf16*>(take(rows));
    for (Pair** m :
         {&k_by_feature, &v_by_feature, &q_interleaved, &k_interleaved, &v_interleaved, &dout_interleaved})
      *m = reinterpret_cast<Pair*>(take(rows));
    scores = take(kBlock * s.columns);
    dp = take(kBlock * s.columns);
    weights = reinterpret_cast<bf16*>(take(kBlock * s.columns / 2));
    log_sum_exp = take(s.columns);
    dot = take(s.columns);
    result = take(s.columns * s.features);
    result_by_feature = take(s.columns * s.features);
    p_interleaved = reinterpret_cast<Pair*>(take(s.columns * s.columns / 2));
    ds_interleaved = reinterpret_cast<Pair*>(take(s.columns * s.columns / 2));
    floats = used;
  }

  // What nobody writes: weights of keys beyond the last, and pairs of queries beyond the last.
  void clear_padding(const Sizes& s) const {
    std::memset(weights, 0, std::size_t(kBlock * s.columns) * sizeof(bf16));
    const std::int64_t pair = (s.tokens + 1) / 2, count = (s.columns / 2 - pair) * s.columns;
    std::memset(p_interleaved + pair * s.columns, 0, std::size_t(count) * sizeof(Pair));
    std::memset(ds_interleaved + pair * s.columns, 0, std::size_t(count) * sizeof(Pair));
  }
};

// c = a b. Distances of rows in values of their own kind.
struct TileProduct {
  const bf16* a;
  std::int64_t a_row;
  const Pair* b;
  std::int64_t b_row;
  float* c;
  std::int64_t c_row;
  std::int64_t depth;  // a multiple of 32
};

template <int kTall, int kWide>
inline void multiply_block(const TileProduct& p, std::int64_t row, std::int64_t column) {
  unroll<kTall * kWide>([](auto t) { amx::clear_tile<t>(); });
  const bf16* a = p.a + row * p.a_row;
  const Pair* b = p.b + column;
  for (std::int64_t d = 0; d < p.depth; d += amx::kDepth, a += amx::kDepth, b += amx::kDepth / 2 * p.b_row) {
    unroll<kWide>([&](auto j) { amx::load_tile<6 + j>(b + j * kRows, p.b_row * 4); });
    unroll<kTall>([&](auto i) { amx::load_tile<4 + i>(a + i * kRows * p.a_row, p.a_row * 2); });
    unroll<kTall>(
        [&](auto i) { unroll<kWide>([&](auto j) { amx::multiply_tiles<i * kWide + j, 4 + i, 6 + j>(); }); });
  }
  float* c = p.c + row * p.c_row + column;
  unroll<kTall>([&](auto i) {
    unroll<kWide>(
        [&](auto j) { amx::store_tile<i * kWide + j>(c + (i * p.c_row + j) * kRows, p.c_row * 4); });
  });
}

// Rows and columns in whole tiles: up to 15 more than asked for.
inline void multiply(const TileProduct& p, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; row += 2 * kRows)
    for (std::int64_t column = 0; column < columns; column += 2 * kRows) {
      const bool tall = row + kRows < rows, wide = column + kRows < columns;
      if (tall)
        wide ? multiply_block<2, 2>(p, row, column) : multiply_block<2, 1>(p, row, column);
      else
        wide ? multiply_block<1, 2>(p, row, column) : multiply_block<1, 1>(p, row, column);
    }
}

inline std::int64_t queries_in_flight(const Sizes& s, std::int64_t first) {
  return first + kBlock < s.tokens ? kBlock : s.tokens - first;
}

inline void score(const Sizes& s, const Matrices& w, std::int64_t first, std::int64_t rows) {
  multiply({w.q + first * s.features, s.features, w.k_by_feature, s.columns, w.scores, s.columns, s.features},
           rows, s.tokens);
}

// Calls body(column, mask or nothing) for the vectors of a row that hold keys.
template <class Body>
[[gnu::always_inline]] inline void each_key_vector(const Sizes& s, Vec mask, Body body) {
  const std::int64_t last = (s.tokens - 1) / kLanes * kLanes;
  for (std::int64_t t = 0; t < last; t += kLanes) body(t, [](Vec p) { return p; });
  body(last, [&](Vec p) { return p * mask; });
}

// 1 in the lanes of the last vector with keys that hold keys, else 0.
inline Vec key_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = (s.tokens - 1) / kLanes * kLanes + i < s.tokens ? 1.f : 0.f;
  return load(mask);
}

// Calls body(sample, head, first channel, matrices) for every head of every sample.
template <class Body>
inline void each_head(const AttentionSpec& spec, const Sizes& s, float* workspace, Body body) {
  const std::int64_t per_thread = Matrices(s, nullptr).floats;
#pragma omp parallel num_threads(spec.threads)
  {
    const amx::TileRegisters registers;
    const Matrices w(s, workspace + omp_get_thread_num() * per_thread);
    w.clear_padding(s);
#pragma omp for schedule(dynamic)
    for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job)
      body(job / spec.heads, job % spec.heads, job % spec.heads * s.head_dim, w);
  }
}

}  // namespace diffusion::DIFFUSION_ISA::pair_attention

#endif
