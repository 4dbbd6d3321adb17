// Attention per (sample, head), in f32, inside one thread's cache: scores, softmax and value product never
// leave it. The backward recomputes probabilities from the log-sum-exp of the forward.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "device/cpu/kernels/attention_bf16.h"
#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/gemm.h"
#include "device/cpu/kernels/head_rows.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/transpose.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

std::int64_t round_up(std::int64_t x) {
  return (x + kLanes - 1) / kLanes * kLanes;
}

struct Sizes {
  std::int64_t queries, keys, columns;  // columns: keys in whole vectors
  std::int64_t head_dim, features;      // features: in whole vectors
  std::int64_t width;                   // channels of q, of k, of v
  float scale;
};

Sizes sizes_of(const AttentionSpec& spec) {
  const std::int64_t width = spec.crosses() ? spec.qkv.channels : spec.qkv.channels / 3;
  const std::int64_t head_dim = width / spec.heads, keys = spec.keys().pixels;
  return {spec.qkv.pixels,
          keys,
          round_up(keys),
          head_dim,
          round_up(head_dim),
          width,
          1.f / std::sqrt(float(head_dim))};
}

// Where the keys start in the channels of their tensor; the values follow.
std::int64_t first_key(const AttentionSpec& spec, const Sizes& s) {
  return spec.crosses() ? 0 : s.width;
}

constexpr std::int64_t kRowBlock = 12;  // queries whose scores are in flight, near enough for the L1 cache

// Scratch of one thread.
struct Scratch {
  float* visible;                      // [2 columns], see fill_visible
  float *k, *v;                        // [columns][features], zeros in what pads them
  float *k_by_feature, *v_by_feature;  // [features][columns]
  float* key_result;                   // [columns][features]
  float *q, *out, *dout, *result;      // [queries][features]
  float *p, *ds;                       // [queries, or a block of them for the forward][columns]
};

// Never more for the forward than for the backward: training takes one workspace for both.
std::int64_t score_rows(const Sizes& s, bool backward) {
  return backward ? s.queries : std::min(s.queries, kRowBlock);
}

std::int64_t scratch_floats(const Sizes& s, bool backward) {
  return 2 * s.columns + 5 * s.columns * s.features + 4 * round_up(s.queries) * s.features +
         2 * score_rows(s, backward) * s.columns;
}

Scratch scratch_of(const Sizes& s, bool backward, float* base) {
  const auto take = [&](std::int64_t floats) { return std::exchange(base, base + floats); };
  Scratch w{};
  w.visible = take(2 * s.columns);
  for (float** rows : {&w.k, &w.v, &w.k_by_feature, &w.v_by_feature, &w.key_result})
    *rows = take(s.columns * s.features);
  for (float** rows : {&w.q, &w.out, &w.dout, &w.result}) *rows = take(round_up(s.queries) * s.features);
  w.p = take(score_rows(s, backward) * s.columns);
  w.ds = take(score_rows(s, backward) * s.columns);
  return w;
}

// Channels from number `first` of a sample, times `factor`, and zeros up to whole vectors of pixels.
template <class T>
void gather(const BlockedShape& shape, const Sizes& s, const T* sample, std::int64_t first, float factor,
            float* rows) {
  gather_head<T>({shape, first, s.head_dim, s.features}, sample, factor, rows);
  std::fill(rows + shape.pixels * s.features, rows + round_up(shape.pixels) * s.features, 0.f);
}

// Queries such that 2^(q k) is what the softmax sums up; keys and values.
template <class T>
void gather_qkv(const AttentionSpec& spec, const Sizes& s, const T* q, const T* kv, std::int64_t first,
                const Scratch& w) {
  gather(spec.qkv, s, q, first, s.scale * kLog2E, w.q);
  gather(spec.keys(), s, kv, first_key(spec, s) + first, 1.f, w.k);
  gather(spec.keys(), s, kv, first_key(spec, s) + s.width + first, 1.f, w.v);
}

// 1 for the keys that may be seen and 0 for others and for what pads a row; causal: 1 for the first half.
void fill_visible(const AttentionSpec& spec, const Sizes& s, const float* mask, float* visible) {
  for (std::int64_t j = 0; j < 2 * s.columns; ++j)
    visible[j] = spec.causal ? float(j < s.columns) : float(j < s.keys && (mask == nullptr || mask[j] != 0));
}

// What query i sees, [columns].
const float* visible_to(const AttentionSpec& spec, const Sizes& s, const float* visible, std::int64_t i) {
  return spec.causal ? visible + s.columns - 1 - i : visible;
}

// scores[query][key] = rows[query] . other[key] for so many queries.
void all_pairs(const Sizes& s, std::int64_t queries, const float* rows, const float* other_by_feature,
               float* scores) {
  gemm(queries, s.columns,
       {rows, s.features, 1, other_by_feature, s.columns, scores, s.columns, s.head_dim, false});
}

// A row of scores is now 2^(score - offset), which sums up to `normalizer`.
struct Powers {
  float normalizer, offset;
};

Powers softmax_row(const Sizes& s, const float* visible, float* row) {
  Vec top = splat(-1e30f);
  for (std::int64_t t = 0; t < s.columns; t += kLanes)
    top = max(top, load(visible + t) != Vec{} ? load(row + t) : splat(-1e30f));
  const float highest = largest(top);
  const Vec offset = splat(highest);
  Vec total{};
  for (std::int64_t t = 0; t < s.columns; t += kLanes) {
    const Vec p = load(visible + t) != Vec{} ? exp2(load(row + t) - offset) : Vec{};
    total += p;
    store(row + t, p);
  }
  return {sum(total), highest};
}

// A query that sees nothing: its probabilities and output are 0.
void forward_head(const AttentionSpec& spec, const Sizes& s, const Scratch& w, float* log_sum_exp) {
  transpose(s.columns, s.features, w.k, s.features, w.k_by_feature, s.columns);
  for (std::int64_t first = 0; first < s.queries; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.queries ? kRowBlock : s.queries - first;
    all_pairs(s, rows, w.q + first * s.features, w.k_by_feature, w.p);
    float inverse[kRowBlock];
    for (std::int64_t r = 0; r < rows; ++r) {
      const Powers row = softmax_row(s, visible_to(spec, s, w.visible, first + r), w.p + r * s.columns);
      inverse[r] = row.normalizer > 0 ? 1.f / row.normalizer : 0.f;
      if (log_sum_exp)
        log_sum_exp[first + r] = row.normalizer > 0 ? row.offset + std::log2(row.normalizer) : 0.f;
    }
    float* result = w.result + first * s.features;
    gemm(rows, s.features, {w.p, s.columns, 1, w.v, s.features, result, s.features, s.keys, false});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        store(result + r * s.features + d, load(result + r * s.features + d) * splat(inverse[r]));
  }
}

template <class T>
void forward(const AttentionSpec& spec, const AttentionInput& in, T* out, float* log_sum_exp,
             float* workspace) {
  const Sizes s = sizes_of(spec);
  const auto *q = static_cast<const T*>(in.q), *kv = static_cast<const T*>(in.kv);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, false, workspace + omp_get_thread_num() * scratch_floats(s, false));
    T* out_sample = out + n * out_shape.sample_elements();
    fill_visible(spec, s, in.mask ? in.mask + n * s.keys : nullptr, w.visible);
    gather_qkv(spec, s, q + n * spec.qkv.sample_elements(), kv + n * spec.keys().sample_elements(), first, w);
    forward_head(spec, s, w, log_sum_exp ? log_sum_exp + job * s.queries : nullptr);
    scatter_head<T>({out_shape, first, s.head_dim, s.features}, w.result, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

// p from scores, and ds = p (dp - dot) from dp.
void softmax_backward_row(const Sizes& s, const float* visible, float log_sum_exp, float dot, float* p,
                          float* ds) {
  const Vec offset = splat(log_sum_exp), total = splat(dot);
  for (std::int64_t t = 0; t < s.columns; t += kLanes) {
    const Vec e = load(visible + t) != Vec{} ? exp2(load(p + t) - offset) : Vec{};
    store(p + t, e);
    store(ds + t, e * (load(ds + t) - total));
  }
}

// The probabilities, and the gradients of scores.
void backward_scores(const AttentionSpec& spec, const Sizes& s, const Scratch& w, const float* log_sum_exp) {
  transpose(s.columns, s.features, w.k, s.features, w.k_by_feature, s.columns);
  transpose(s.columns, s.features, w.v, s.features, w.v_by_feature, s.columns);
  for (std::int64_t first = 0; first < s.queries; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.queries ? kRowBlock : s.queries - first;
    float *p = w.p + first * s.columns, *ds = w.ds + first * s.columns;
    all_pairs(s, rows, w.q + first * s.features, w.k_by_feature, p);
    all_pairs(s, rows, w.dout + first * s.features, w.v_by_feature, ds);
    for (std::int64_t r = 0; r < rows; ++r) {
      // The sum over keys of p dp is the product of the output and its gradient.
      Vec dot{};
      for (std::int64_t d = (first + r) * s.features; d < (first + r + 1) * s.features; d += kLanes)
        dot += load(w.out + d) * load(w.dout + d);
      softmax_backward_row(s, visible_to(spec, s, w.visible, first + r), log_sum_exp[first + r], sum(dot),
                           p + r * s.columns, ds + r * s.columns);
    }
  }
}

template <class T>
void backward(const AttentionSpec& spec, const AttentionInput& in, const T* out, const float* log_sum_exp,
              const T* dout, const AttentionGrad& grad, float* workspace) {
  const Sizes s = sizes_of(spec);
  const auto *q = static_cast<const T*>(in.q), *kv = static_cast<const T*>(in.kv);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, true, workspace + omp_get_thread_num() * scratch_floats(s, true));
    fill_visible(spec, s, in.mask ? in.mask + n * s.keys : nullptr, w.visible);
    gather_qkv(spec, s, q + n * spec.qkv.sample_elements(), kv + n * spec.keys().sample_elements(), first, w);
    gather(out_shape, s, out + n * out_shape.sample_elements(), first, 1.f, w.out);
    gather(out_shape, s, dout + n * out_shape.sample_elements(), first, 1.f, w.dout);
    backward_scores(spec, s, w, log_sum_exp + job * s.queries);

    const bool last_head = job % spec.heads == spec.heads - 1;
    const std::int64_t keys_from = first_key(spec, s) + first;
    if (grad.dq) {
      T* dq = static_cast<T*>(grad.dq) + n * spec.qkv.sample_elements();
      gemm(s.queries, s.features, {w.ds, s.columns, 1, w.k, s.features, w.result, s.features, s.keys, false});
      scatter_head<T>({spec.qkv, first, s.head_dim, s.features}, w.result, s.scale, grad.accumulate_dq, dq);
      if (!grad.accumulate_dq && last_head) clear_tail(spec.qkv, dq);
    }
    if (!grad.dkv) continue;
    T* dkv = static_cast<T*>(grad.dkv) + n * spec.keys().sample_elements();
    const auto part = [&](const float* weights, const float* rows, std::int64_t channel, float factor) {
      gemm(s.keys, s.features,
           {weights, 1, s.columns, rows, s.features, w.key_result, s.features, s.queries, false});
      scatter_head<T>({spec.keys(), channel, s.head_dim, s.features}, w.key_result, factor,
                      grad.accumulate_dkv, dkv);
    };
    part(w.ds, w.q, keys_from, kLn2);  // q has the scale, for powers of 2
    part(w.p, w.dout, keys_from + s.width, 1.f);
    if (!grad.accumulate_dkv && last_head) clear_tail(spec.keys(), dkv);
  }
}

// Whether the loops for pairs of bf16 are to do it: self-attention of everything to everything.
bool in_pairs(const AttentionSpec& spec) {
  return kPairAttention && spec.bf16 && !spec.crosses() && !spec.causal;
}

// Attention to other tokens, and causal one, has such loops for the forward of inference alone.
bool crosses_in_pairs(const AttentionSpec& spec) {
  return kPairCrossAttention && spec.bf16 && (spec.crosses() || spec.causal);
}

}  // namespace

std::size_t attention_workspace(const AttentionSpec& spec, bool backward) {
  if constexpr (kPairAttention)
    if (in_pairs(spec)) return pair_attention_workspace(spec, backward) * std::size_t(spec.threads);
  if constexpr (kPairCrossAttention)
    if (crosses_in_pairs(spec) && !backward)
      return pair_cross_attention_workspace(spec) * std::size_t(spec.threads);
  return std::size_t(scratch_floats(sizes_of(spec), backward) * spec.threads);
}

void attention_forward(const AttentionSpec& spec, const AttentionInput& in, void* out, float* log_sum_exp,
                       float* workspace) {
  if constexpr (kPairAttention)
    if (in_pairs(spec)) return pair_attention_forward(spec, in.q, out, log_sum_exp, workspace);
  if constexpr (kPairCrossAttention)
    if (crosses_in_pairs(spec) && log_sum_exp == nullptr)
      return pair_cross_attention_forward(spec, in, out, workspace);
  if (spec.bf16)
    forward(spec, in, static_cast<bf16*>(out), log_sum_exp, workspace);
  else
    forward(spec, in, static_cast<float*>(out), log_sum_exp, workspace);
}

void attention_backward(const AttentionSpec& spec, const AttentionInput& in, const void* out,
                        const float* log_sum_exp, const void* dout, const AttentionGrad& grad,
                        float* workspace) {
  if constexpr (kPairAttention)
    if (in_pairs(spec))
      return pair_attention_backward(spec, in.q, out, log_sum_exp, dout, grad.dq, grad.accumulate_dq,
                                     workspace);
  if (spec.bf16)
    backward(spec, in, static_cast<const bf16*>(out), log_sum_exp, static_cast<const bf16*>(dout), grad,
             workspace);
  else
    backward(spec, in, static_cast<const float*>(out), log_sum_exp, static_cast<const float*>(dout), grad,
             workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
