// Attention in products of tiles (AMX), one head of one sample at a time. What is left to vectors is the softmax and its gradient.

#include "device/cpu/kernels/attention_bf16.h"

#ifdef __AMX_BF16__

#include <omp.h>

#include "device/cpu/kernels/amx.h"
#include "device/cpu/kernels/attention_bf16_head.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;
using amx::kRows;

constexpr std::int64_t kBlock = 32;  // queries whose scores are in flight; columns are a multiple of it
static_assert(kPadding == kBlock && kPadding == amx::kDepth);

// The matrices of one thread: names as in attention_bf16_head.h. Of queries beyond the last, probabilities are zero.
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
void multiply_block(const TileProduct& p, std::int64_t row, std::int64_t column) {
  unroll<kTall * kWide>([](auto t) { amx::clear_tile<t>(); });
  const bf16* a = p.a + row * p.a_row;
  const Pair* b = p.b + column;
  for (std::int64_t d = 0; d < p.depth; d += amx::kDepth, a += amx::kDepth, b += amx::kDepth / 2 * p.b_row) {
    unroll<kWide>([&](auto j) { amx::load_tile<6 + j>(b + j * kRows, p.b_row * 4); });
    unroll<kTall>([&](auto i) {
      amx::load_tile<4 + i>(a + i * kRows * p.a_row, p.a_row * 2);
      unroll<kWide>([&](auto j) { amx::multiply_tiles<i * kWide + j, 4 + i, 6 + j>(); });
    });
  }
  float* c = p.c + row * p.c_row + column;
  unroll<kTall>([&](auto i) {
    unroll<kWide>(
        [&](auto j) { amx::store_tile<i * kWide + j>(c + (i * p.c_row + j) * kRows, p.c_row * 4); });
  });
}

// Rows and columns in whole tiles: up to 15 more than asked for.
void multiply(const TileProduct& p, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; row += 2 * kRows)
    for (std::int64_t column = 0; column < columns; column += 2 * kRows) {
      const bool tall = row + kRows < rows, wide = column + kRows < columns;
      if (tall)
        wide ? multiply_block<2, 2>(p, row, column) : multiply_block<2, 1>(p, row, column);
      else
        wide ? multiply_block<1, 2>(p, row, column) : multiply_block<1, 1>(p, row, column);
    }
}

std::int64_t queries_in_flight(const Sizes& s, std::int64_t first) {
  return first + kBlock < s.tokens ? kBlock : s.tokens - first;
}

void score(const Sizes& s, const Matrices& w, std::int64_t first, std::int64_t rows) {
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
Vec key_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = (s.tokens - 1) / kLanes * kLanes + i < s.tokens ? 1.f : 0.f;
  return load(mask);
}

// weights = e^(scores - offset), offset given times log2(e); returns vectors' sum.
Vec exponentials(const Sizes& s, Vec mask, const float* scores, float offset, bf16* weights) {
  const Vec factor = splat(s.log2_scale()), start = splat(-offset);
  Vec total{};
  each_key_vector(s, mask, [&](std::int64_t t, auto masked) {
    const Vec p = masked(quick_exp2(load(scores + t) * factor + start));
    total += p;
    store(weights + t, p);
  });
  return total;
}

float highest_score(const Sizes& s, Vec mask, const float* scores) {
  const Vec lowest = splat(-1e30f);
  Vec top = lowest;
  each_key_vector(s, mask, [&](std::int64_t t, auto) {
    const bool last = t + kLanes >= s.tokens;
    const Vec x = load(scores + t);
    top = max(top, last ? (mask != Vec{} ? x : lowest) : x);
  });
  return largest(top);
}

// Natural logarithm of positive numbers; absolute error below 1e-6.
Vec logarithm(Vec x) {
  const __m512 v = as_m512(x);
  const Vec m = bits_of<Vec>(_mm512_getmant_ps(v, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src));
  // The exponent that belongs to a mantissa in [0.75, 1.5).
  const Vec n = bits_of<Vec>(_mm512_getexp_ps(as_m512(x / m)));
  const Vec t = (m - splat(1.f)) / (m + splat(1.f)), u = t * t;  // ln m = 2 artanh t
  const Vec series = splat(1.f) + u * (splat(1.f / 3) + u * (splat(1.f / 5) + u * splat(1.f / 7)));
  return n * splat(0.693147181f) + splat(2.f) * t * series;
}

// Rows of probabilities, unnormalized: sums of kBlock of them, and what was subtracted from their scores before e^x. That is nothing, and
// there is no pass for the largest score, unless scores are too large or small for it.
struct Softmax {
  float total[kBlock], offset[kBlock];
};

void fill_softmax(const Sizes& s, Vec mask, const Matrices& w, std::int64_t rows, Softmax& softmax) {
  Vec totals[kBlock];
  for (std::int64_t r = 0; r < kBlock; ++r)
    totals[r] =
        r < rows ? exponentials(s, mask, w.scores + r * s.columns, 0, w.weights + r * s.columns) : Vec{};
  for (std::int64_t r = 0; r < kBlock; r += kLanes) {
    store(softmax.total + r, row_sums(totals + r));
    store(softmax.offset + r, Vec{});
  }
  constexpr float kLeast = 1e-20f, kMost = 1e20f;  // their squares are numbers of f32 and bf16, too
  for (std::int64_t r = 0; r < rows; ++r) {
    if (softmax.total[r] > kLeast && softmax.total[r] < kMost) continue;
    const float* scores = w.scores + r * s.columns;
    const float highest = highest_score(s, mask, scores);
    softmax.total[r] =
        sum(exponentials(s, mask, scores, highest * s.log2_scale(), w.weights + r * s.columns));
    softmax.offset[r] = highest * s.scale;
  }
}

void forward_head(const Sizes& s, Vec mask, const Matrices& w, float* log_sum_exp) {
  transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
  interleave(s, w.v, w.v_interleaved);
  for (std::int64_t first = 0; first < s.tokens; first += kBlock) {
    const std::int64_t rows = queries_in_flight(s, first);
    score(s, w, first, rows);
    Softmax softmax;
    fill_softmax(s, mask, w, rows, softmax);
    for (std::int64_t r = 0; r < kBlock; r += kLanes)
      store(w.log_sum_exp + first + r, load(softmax.offset + r) + logarithm(load(softmax.total + r)));
    float* result = w.result + first * s.features;
    multiply({w.weights, s.columns, w.v_interleaved, s.features, result, s.features, s.columns}, rows,
             s.head_dim);
    for (std::int64_t r = 0; r < rows; ++r) {
      const Vec inverse = splat(1.f / softmax.total[r]);
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        store(result + r * s.features + d, load(result + r * s.features + d) * inverse);
    }
  }
  if (log_sum_exp) std::memcpy(log_sum_exp, w.log_sum_exp, std::size_t(s.tokens) * sizeof(float));
}

// Transposes rows of tokens, by way of pairs of tokens.
void by_feature(const Sizes& s, const bf16* rows, Pair* interleaved, bf16* transposed) {
  interleave(s, rows, interleaved);
  transpose(s.columns / 2, s.features, interleaved, s.features, reinterpret_cast<Pair*>(transposed),
            s.columns / 2);
}

// p = e^(score - log_sum_exp) and ds = p (dp - dot) of queries `row` and `row` + 1 of the block that begins at `first`.
void gradient_rows(const Sizes& s, Vec mask, const Matrices& w, std::int64_t first, std::int64_t row) {
  const Vec factor = splat(s.log2_scale());
  const float *scores = w.scores + row * s.columns, *dp = w.dp + row * s.columns;
  bf16* ds_rows = w.weights + row * s.columns;
  const std::int64_t query = first + row, pair = query / 2 * s.columns;
  const auto start = [&](std::int64_t t) {
    return splat(t < s.tokens ? w.log_sum_exp[t] * -kLog2E : -1e30f);
  };
  const Vec start0 = start(query), start1 = start(query + 1);
  const Vec dot0 = splat(w.dot[query]), dot1 = splat(w.dot[query + 1]);
  each_key_vector(s, mask, [&](std::int64_t t, auto masked) {
    const Vec p0 = masked(quick_exp2(load(scores + t) * factor + start0));
    const Vec p1 = masked(quick_exp2(load(scores + s.columns + t) * factor + start1));
    const Vec ds0 = p0 * (load(dp + t) - dot0), ds1 = p1 * (load(dp + s.columns + t) - dot1);
    store(ds_rows + t, ds0);
    store(ds_rows + s.columns + t, ds1);
    store_pairs(w.p_interleaved + pair + t, p0, p1);
    store_pairs(w.ds_interleaved + pair + t, ds0, ds1);
  });
}

// w.result = (queries^T weights)^T, sums over queries: dk of q and ds, dv of dout and p.
void product_over_queries(const Sizes& s, const Matrices& w, const bf16* queries_by_feature,
                          const Pair* weights) {
  multiply({queries_by_feature, s.columns, weights, s.columns, w.result_by_feature, s.columns, s.columns},
           s.head_dim, s.tokens);
  transpose(s.features, s.columns, w.result_by_feature, s.columns, w.result, s.features);
}

// Leaves dq, unscaled, in w.result, and p and ds interleaved.
void backward_scores(const Sizes& s, Vec mask, const Matrices& w) {
  for (std::int64_t first = 0; first < s.tokens; first += kBlock) {
    const std::int64_t rows = queries_in_flight(s, first);
    score(s, w, first, rows);
    multiply(
        {w.dout + first * s.features, s.features, w.v_by_feature, s.columns, w.dp, s.columns, s.features},
        rows, s.tokens);
    for (std::int64_t row = 0; row < rows; row += 2) gradient_rows(s, mask, w, first, row);
    multiply({w.weights, s.columns, w.k_interleaved, s.features, w.result + first * s.features, s.features,
              s.columns},
             rows, s.head_dim);
  }
}

// Calls body(sample, head, first channel, matrices) for every head of every sample.
template <class Body>
void each_head(const AttentionSpec& spec, const Sizes& s, float* workspace, Body body) {
  const std::int64_t per_thread = std::int64_t(pair_attention_workspace(spec));
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

}  // namespace

std::size_t pair_attention_workspace(const AttentionSpec& spec) {
  return std::size_t(Matrices(sizes_of(spec), nullptr).floats);
}

void pair_attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* log_sum_exp,
                            float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = key_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
  each_head(
      spec, s, workspace, [&](std::int64_t n, std::int64_t head, std::int64_t first, const Matrices& w) {
        bf16* out_sample = static_cast<bf16*>(out) + n * out_shape.sample_elements();
        gather_qkv(spec, s, static_cast<const bf16*>(qkv) + n * spec.qkv.sample_elements(), first, w);
        forward_head(s, mask, w, log_sum_exp ? log_sum_exp + (n * spec.heads + head) * s.tokens : nullptr);
        scatter(out_shape, s, w.result, first, 1.f, false, out_sample);
        if (head == spec.heads - 1) clear_tail(out_shape, out_sample);
      });
}

void pair_attention_backward(const AttentionSpec& spec, const void* qkv, const void* out,
                             const float* log_sum_exp, const void* dout, void* dqkv, bool accumulate,
                             float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = key_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
  each_head(spec, s, workspace,
            [&](std::int64_t n, std::int64_t head, std::int64_t first, const Matrices& w) {
              bf16* dsample = static_cast<bf16*>(dqkv) + n * spec.qkv.sample_elements();
              const std::int64_t out_at = n * out_shape.sample_elements();
              gather_qkv(spec, s, static_cast<const bf16*>(qkv) + n * spec.qkv.sample_elements(), first, w);
              gather(out_shape, s, static_cast<const bf16*>(out) + out_at, first, w.out);
              gather(out_shape, s, static_cast<const bf16*>(dout) + out_at, first, w.dout);
              transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
              transpose(s.columns, s.row_pairs(), pairs(w.v), s.row_pairs(), w.v_by_feature, s.columns);
              interleave(s, w.k, w.k_interleaved);
              by_feature(s, w.q, w.q_interleaved, w.q_by_feature);
              by_feature(s, w.dout, w.dout_interleaved, w.dout_by_feature);
              std::memcpy(w.log_sum_exp, log_sum_exp + (n * spec.heads + head) * s.tokens,
                          std::size_t(s.tokens) * sizeof(float));
              fill_dot(s, w.out, w.dout, w.dot);

              backward_scores(s, mask, w);
              scatter(spec.qkv, s, w.result, first, s.scale, accumulate, dsample);
              product_over_queries(s, w, w.q_by_feature, w.ds_interleaved);
              scatter(spec.qkv, s, w.result, s.width + first, s.scale, accumulate, dsample);
              product_over_queries(s, w, w.dout_by_feature, w.p_interleaved);
              scatter(spec.qkv, s, w.result, 2 * s.width + first, 1.f, accumulate, dsample);
              if (!accumulate && head == spec.heads - 1) clear_tail(spec.qkv, dsample);
            });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
