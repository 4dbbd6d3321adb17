#include "device/cpu/kernels/attention_bf16.h"

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)  // attention_amx.cpp

#include <omp.h>

#include "device/cpu/kernels/attention_bf16_head.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;

// The rows in flight are e^(score - offset), which the normalizer makes probabilities.
struct Softmax {
  float normalizer[kLanes];   // sum of the row
  float offset[kLanes] = {};  // of the scaled scores
};
static_assert(kRowBlock <= kLanes);

// Scores of kRows queries and kVecs vectors of keys, and e to the power of them, in registers. `row` counts
// from query `first`. `mask`: of the last keys.
template <int kRows, int kVecs>
void exponential_tile(const Sizes& s, Vec mask, const Scratch& w, std::int64_t first, std::int64_t row,
                      std::int64_t column, Vec* totals) {
  Vec e[kRows * kVecs];
  unroll<kRows * kVecs>([&](auto i) { e[i] = Vec{}; });
  const std::int64_t row_pairs = s.row_pairs(), columns = s.columns;
  const Pair *q = pairs(w.q) + (first + row) * row_pairs, *k = w.k_by_feature + column;
  for (std::int64_t f = s.feature_pairs(); f > 0; --f, ++q, k += columns) {
    __m512i keys[kVecs];
    unroll<kVecs>([&](auto v) { keys[v] = _mm512_loadu_si512(k + v * kLanes); });
    unroll<kRows>([&](auto r) {
      const __m512i query = broadcast(q + r * row_pairs);
      unroll<kVecs>([&](auto v) { e[r * kVecs + v] = add_products(e[r * kVecs + v], keys[v], query); });
    });
  }
  const Vec factor = splat(s.log2_scale());
  if (column + kVecs * kLanes < columns) mask = splat(1.f);
  const std::int64_t probability_row = s.probability_row();
  bf16* to = w.probabilities + row * probability_row + column;
  unroll<kRows>([&](auto r) {
    Vec total = totals[row + r];
    unroll<kVecs>([&](auto v) {
      Vec p = quick_exp2(e[r * kVecs + v] * factor);
      if constexpr (v == kVecs - 1) p *= mask;
      total += p;
      store(to + v * kLanes, p);
    });
    totals[row + r] = total;
    to += probability_row;
  });
}

template <int kRows, int kVecs>
void exponential_panel(const Sizes& s, Vec mask, const Scratch& w, std::int64_t first, std::int64_t rows,
                       std::int64_t column, Vec* totals) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows)
    exponential_tile<kRows, kVecs>(s, mask, w, first, row, column, totals);
  for (; row < rows; ++row) exponential_tile<1, kVecs>(s, mask, w, first, row, column, totals);
}

// Probabilities without an offset, which saves a pass for the largest score. False if scores are too large or
// small for that, or not finite.
bool quick_softmax(const Sizes& s, Vec mask, const Scratch& w, std::int64_t first, std::int64_t rows,
                   Softmax& softmax) {
  Vec totals[kLanes] = {};
  std::int64_t column = 0;
  for (; column + 4 * kLanes <= s.columns; column += 4 * kLanes)
    exponential_panel<6, 4>(s, mask, w, first, rows, column, totals);
  for (; column < s.columns; column += kLanes)
    exponential_panel<12, 1>(s, mask, w, first, rows, column, totals);
  store(softmax.normalizer, row_sums(totals));
  constexpr float kLeast = 1e-20f, kMost = 1e20f;  // their squares are numbers of f32 and bf16, too
  for (std::int64_t r = 0; r < rows; ++r)
    if (!(softmax.normalizer[r] > kLeast && softmax.normalizer[r] < kMost)) return false;
  return true;
}

// The same for any scores: the offset is the largest one.
void careful_softmax(const Sizes& s, Vec mask, const Scratch& w, std::int64_t first, std::int64_t rows,
                     Softmax& softmax) {
  multiply(rows, s.columns,
           {pairs(w.q) + first * s.row_pairs(), s.row_pairs(), 1, w.k_by_feature, s.columns, w.scores,
            s.columns, s.feature_pairs(), false});
  const std::int64_t last = s.columns - kLanes;
  const Vec factor = splat(s.log2_scale());
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* scores = w.scores + r * s.columns;
    bf16* probabilities = w.probabilities + r * s.probability_row();
    Vec top = mask != Vec{} ? load(scores + last) : splat(-1e30f);
    for (std::int64_t t = 0; t < last; t += kLanes) top = max(top, load(scores + t));
    const float highest = largest(top);
    const Vec offset = splat(-highest * s.log2_scale());
    Vec total{};
    for (std::int64_t t = 0; t < s.columns; t += kLanes) {
      Vec p = quick_exp2(load(scores + t) * factor + offset);
      if (t == last) p *= mask;
      total += p;
      store(probabilities + t, p);
    }
    softmax.normalizer[r] = sum(total);
    softmax.offset[r] = highest * s.scale;
  }
}

void forward_head(const Sizes& s, Vec mask, const Scratch& w, float* log_sum_exp) {
  transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
  interleave(s, w.v, w.v_interleaved);
  for (std::int64_t first = 0; first < s.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.tokens ? kRowBlock : s.tokens - first;
    Softmax softmax;
    if (!quick_softmax(s, mask, w, first, rows, softmax)) careful_softmax(s, mask, w, first, rows, softmax);
    if (log_sum_exp)
      for (std::int64_t r = 0; r < rows; ++r)
        log_sum_exp[first + r] = softmax.offset[r] + std::log(softmax.normalizer[r]);
    float* result = w.result + first * s.features;
    multiply(rows, s.features,
             {pairs(w.probabilities), s.probability_row() / 2, 1, w.v_interleaved, s.features, result,
              s.features, s.token_pairs, false});
    for (std::int64_t r = 0; r < rows; ++r) {
      const Vec inverse = splat(1.f / softmax.normalizer[r]);
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        store(result + r * s.features + d, load(result + r * s.features + d) * inverse);
    }
  }
}

}  // namespace

std::size_t pair_attention_workspace(const AttentionSpec& spec, bool backward) {
  const Scratch scratch(sizes_of(spec), nullptr);
  return std::size_t(backward ? scratch.floats : scratch.forward_floats);
}

void pair_attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* log_sum_exp,
                            float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
  const std::int64_t per_thread = std::int64_t(pair_attention_workspace(spec, false));
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w(s, workspace + omp_get_thread_num() * per_thread);
    const bf16* sample = static_cast<const bf16*>(qkv) + n * spec.qkv.sample_elements();
    bf16* out_sample = static_cast<bf16*>(out) + n * out_shape.sample_elements();
    gather_qkv(spec, s, sample, first, w);
    forward_head(s, mask, w, log_sum_exp ? log_sum_exp + job * s.tokens : nullptr);
    scatter(out_shape, s, w.result, first, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
