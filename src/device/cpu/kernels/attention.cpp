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
  std::int64_t tokens, columns, head_dim, features;  // columns, features: in whole vectors
  std::int64_t width;                                // channels of q, of k, of v
  float scale;
};

Sizes sizes_of(const AttentionSpec& spec) {
  const std::int64_t width = spec.qkv.channels / 3, head_dim = width / spec.heads;
  return {spec.qkv.pixels, round_up(spec.qkv.pixels),       head_dim, round_up(head_dim),
          width,           1.f / std::sqrt(float(head_dim))};
}

constexpr std::int64_t kRowBlock = 12;  // queries whose scores are in flight, near enough for the L1 cache

// Scratch of one thread.
struct Scratch {
  float *q, *k, *v, *out, *dout;       // [columns][features], zeros in what pads them
  float *k_by_feature, *v_by_feature;  // [features][columns]
  float* result;                       // [tokens][features]
  float *p, *ds;                       // [tokens][columns]
};

std::int64_t scratch_floats(const Sizes& s) {
  return 8 * s.columns * s.features + 2 * s.tokens * s.columns;
}

Scratch scratch_of(const Sizes& s, float* base) {
  const auto take = [&](std::int64_t rows, std::int64_t row) {
    return std::exchange(base, base + rows * row);
  };
  Scratch w{};
  for (float** rows : {&w.q, &w.k, &w.v, &w.out, &w.dout, &w.k_by_feature, &w.v_by_feature, &w.result})
    *rows = take(s.columns, s.features);
  w.p = take(s.tokens, s.columns);
  w.ds = take(s.tokens, s.columns);
  return w;
}

// Channels from number `first` of a sample, times `factor`.
template <class T>
void gather(const BlockedShape& shape, const Sizes& s, const T* sample, std::int64_t first, float factor,
            float* rows) {
  gather_head<T>({shape, first, s.head_dim, s.features}, sample, factor, rows);
  std::fill(rows + s.tokens * s.features, rows + s.columns * s.features, 0.f);
}

// Queries such that 2^(q k) is what the softmax sums up; keys and values.
template <class T>
void gather_qkv(const AttentionSpec& spec, const Sizes& s, const T* sample, std::int64_t first,
                const Scratch& w) {
  gather(spec.qkv, s, sample, first, s.scale * kLog2E, w.q);
  gather(spec.qkv, s, sample, s.width + first, 1.f, w.k);
  gather(spec.qkv, s, sample, 2 * s.width + first, 1.f, w.v);
}

// 1 in the lanes of the last vector of a row of scores that hold tokens, else 0.
Vec tail_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = s.columns - kLanes + i < s.tokens ? 1.f : 0.f;
  return load(mask);
}

// scores[token][token'] = rows[token] . other[token'] for so many tokens.
void all_pairs(const Sizes& s, std::int64_t tokens, const float* rows, const float* other_by_feature,
               float* scores) {
  gemm(tokens, s.columns,
       {rows, s.features, 1, other_by_feature, s.columns, scores, s.columns, s.head_dim, false});
}

// A row of scores is now 2^(score - offset), which sums up to `normalizer`.
struct Powers {
  float normalizer, offset;
};

Powers softmax_row(const Sizes& s, Vec mask, float* row) {
  const std::int64_t last = s.columns - kLanes;
  Vec top = mask != Vec{} ? load(row + last) : splat(-1e30f);
  for (std::int64_t t = 0; t < last; t += kLanes) top = max(top, load(row + t));
  const float highest = largest(top);
  const Vec offset = splat(highest);
  Vec total{};
  for (std::int64_t t = 0; t < last; t += kLanes) {
    const Vec p = exp2(load(row + t) - offset);
    total += p;
    store(row + t, p);
  }
  const Vec p = exp2(load(row + last) - offset) * mask;
  store(row + last, p);
  return {sum(total + p), highest};
}

void forward_head(const Sizes& s, Vec mask, const Scratch& w, float* log_sum_exp) {
  transpose(s.columns, s.features, w.k, s.features, w.k_by_feature, s.columns);
  for (std::int64_t first = 0; first < s.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.tokens ? kRowBlock : s.tokens - first;
    all_pairs(s, rows, w.q + first * s.features, w.k_by_feature, w.p);
    float inverse[kRowBlock];
    for (std::int64_t r = 0; r < rows; ++r) {
      const Powers row = softmax_row(s, mask, w.p + r * s.columns);
      inverse[r] = 1.f / row.normalizer;
      if (log_sum_exp) log_sum_exp[first + r] = row.offset + std::log2(row.normalizer);
    }
    float* result = w.result + first * s.features;
    gemm(rows, s.features, {w.p, s.columns, 1, w.v, s.features, result, s.features, s.tokens, false});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        store(result + r * s.features + d, load(result + r * s.features + d) * splat(inverse[r]));
  }
}

template <class T>
void forward(const AttentionSpec& spec, const T* qkv, T* out, float* log_sum_exp, float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, workspace + omp_get_thread_num() * scratch_floats(s));
    T* out_sample = out + n * out_shape.sample_elements();
    gather_qkv(spec, s, qkv + n * spec.qkv.sample_elements(), first, w);
    forward_head(s, mask, w, log_sum_exp ? log_sum_exp + job * s.tokens : nullptr);
    scatter_head<T>({out_shape, first, s.head_dim, s.features}, w.result, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

// p from scores, and ds = p (dp - dot) from dp.
void softmax_backward_row(const Sizes& s, Vec mask, float log_sum_exp, float dot, float* p, float* ds) {
  const std::int64_t last = s.columns - kLanes;
  const Vec offset = splat(log_sum_exp), total = splat(dot);
  for (std::int64_t t = 0; t <= last; t += kLanes) {
    Vec e = exp2(load(p + t) - offset);
    if (t == last) e *= mask;
    store(p + t, e);
    store(ds + t, e * (load(ds + t) - total));
  }
}

// The probabilities, and the gradients of scores.
void backward_scores(const Sizes& s, Vec mask, const Scratch& w, const float* log_sum_exp) {
  transpose(s.columns, s.features, w.k, s.features, w.k_by_feature, s.columns);
  transpose(s.columns, s.features, w.v, s.features, w.v_by_feature, s.columns);
  for (std::int64_t first = 0; first < s.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.tokens ? kRowBlock : s.tokens - first;
    float *p = w.p + first * s.columns, *ds = w.ds + first * s.columns;
    all_pairs(s, rows, w.q + first * s.features, w.k_by_feature, p);
    all_pairs(s, rows, w.dout + first * s.features, w.v_by_feature, ds);
    for (std::int64_t r = 0; r < rows; ++r) {
      // The sum over keys of p dp is the product of the output and its gradient.
      Vec dot{};
      for (std::int64_t d = (first + r) * s.features; d < (first + r + 1) * s.features; d += kLanes)
        dot += load(w.out + d) * load(w.dout + d);
      softmax_backward_row(s, mask, log_sum_exp[first + r], sum(dot), p + r * s.columns, ds + r * s.columns);
    }
  }
}

template <class T>
void backward(const AttentionSpec& spec, const T* qkv, const T* out, const float* log_sum_exp, const T* dout,
              T* dqkv, bool accumulate, float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, workspace + omp_get_thread_num() * scratch_floats(s));
    T* dsample = dqkv + n * spec.qkv.sample_elements();
    gather_qkv(spec, s, qkv + n * spec.qkv.sample_elements(), first, w);
    gather(out_shape, s, out + n * out_shape.sample_elements(), first, 1.f, w.out);
    gather(out_shape, s, dout + n * out_shape.sample_elements(), first, 1.f, w.dout);
    backward_scores(s, mask, w, log_sum_exp + job * s.tokens);

    const auto part = [&](const float* weights, std::int64_t row_stride, std::int64_t column_stride,
                          const float* rows, std::int64_t channel, float factor) {
      gemm(s.tokens, s.features,
           {weights, row_stride, column_stride, rows, s.features, w.result, s.features, s.tokens, false});
      scatter_head<T>({spec.qkv, channel + first, s.head_dim, s.features}, w.result, factor, accumulate,
                      dsample);
    };
    part(w.ds, s.columns, 1, w.k, 0, s.scale);
    part(w.ds, 1, s.columns, w.q, s.width, kLn2);  // q has the scale, for powers of 2
    part(w.p, 1, s.columns, w.dout, 2 * s.width, 1.f);
    if (!accumulate && job % spec.heads == spec.heads - 1) clear_tail(spec.qkv, dsample);
  }
}

}  // namespace

std::size_t attention_workspace(const AttentionSpec& spec) {
  if constexpr (kPairAttention)
    if (spec.bf16) return pair_attention_workspace(spec) * std::size_t(spec.threads);
  return std::size_t(scratch_floats(sizes_of(spec)) * spec.threads);
}

void attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* log_sum_exp,
                       float* workspace) {
  if constexpr (kPairAttention)
    if (spec.bf16) return pair_attention_forward(spec, qkv, out, log_sum_exp, workspace);
  if (spec.bf16)
    forward(spec, static_cast<const bf16*>(qkv), static_cast<bf16*>(out), log_sum_exp, workspace);
  else
    forward(spec, static_cast<const float*>(qkv), static_cast<float*>(out), log_sum_exp, workspace);
}

void attention_backward(const AttentionSpec& spec, const void* qkv, const void* out, const float* log_sum_exp,
                        const void* dout, void* dqkv, bool accumulate, float* workspace) {
  if constexpr (kPairAttention)
    if (spec.bf16)
      return pair_attention_backward(spec, qkv, out, log_sum_exp, dout, dqkv, accumulate, workspace);
  if (spec.bf16)
    backward(spec, static_cast<const bf16*>(qkv), static_cast<const bf16*>(out), log_sum_exp,
             static_cast<const bf16*>(dout), static_cast<bf16*>(dqkv), accumulate, workspace);
  else
    backward(spec, static_cast<const float*>(qkv), static_cast<const float*>(out), log_sum_exp,
             static_cast<const float*>(dout), static_cast<float*>(dqkv), accumulate, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
