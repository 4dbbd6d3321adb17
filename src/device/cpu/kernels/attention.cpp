// Attention per (sample, head), in f32, inside one thread's cache: scores, softmax and value product never
// leave it. The backward recomputes probabilities from the log-sum-exp of the forward.

#include <omp.h>

#include <cmath>

#include "device/cpu/kernels/attention_bf16.h"
#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/gemm.h"
#include "device/cpu/kernels/head_rows.h"
#include "device/cpu/kernels/kernels.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

std::int64_t round_up(std::int64_t x) {
  return (x + kLanes - 1) / kLanes * kLanes;
}

struct Sizes {
  std::int64_t tokens, padded_tokens, head_dim, padded_head_dim, width;  // width: channels of q, of k, of v
  float scale;
};

Sizes sizes_of(const AttentionSpec& spec) {
  const std::int64_t width = spec.qkv.channels / 3, head_dim = width / spec.heads;
  return {spec.qkv.pixels, round_up(spec.qkv.pixels),       head_dim, round_up(head_dim),
          width,           1.f / std::sqrt(float(head_dim))};
}

// Scratch of one thread. Rows are tokens for q, k, v, o, and features for the transposed ones.
struct Scratch {
  float *q, *k, *v, *o, *dout, *transposed, *p, *ds;
};

std::int64_t scratch_floats(const Sizes& s) {
  return 5 * s.tokens * s.padded_head_dim + s.padded_head_dim * s.padded_tokens +
         2 * s.tokens * s.padded_tokens;
}

Scratch scratch_of(const Sizes& s, float* base) {
  const std::int64_t rows = s.tokens * s.padded_head_dim;
  float* transposed = base + 5 * rows;
  float* p = transposed + s.padded_head_dim * s.padded_tokens;
  return {base,
          base + rows,
          base + 2 * rows,
          base + 3 * rows,
          base + 4 * rows,
          transposed,
          p,
          p + s.tokens * s.padded_tokens};
}

void transpose(const Sizes& s, const float* rows, float* out) {
  for (std::int64_t d = 0; d < s.head_dim; ++d) {
    float* row = out + d * s.padded_tokens;
    for (std::int64_t t = 0; t < s.tokens; ++t) row[t] = rows[t * s.padded_head_dim + d];
    for (std::int64_t t = s.tokens; t < s.padded_tokens; ++t) row[t] = 0;
  }
}

// scores[token][other] = a[token] . b[other]
void all_pairs(const Sizes& s, const float* a, const float* b, float* transposed, float* scores) {
  transpose(s, b, transposed);
  gemm(s.tokens, s.padded_tokens,
       {a, s.padded_head_dim, 1, transposed, s.padded_tokens, scores, s.padded_tokens, s.head_dim, false});
}

// Lanes of the last vector of a row that hold tokens: 1, else 0.
Vec tail_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = s.padded_tokens - kLanes + i < s.tokens ? 1.f : 0.f;
  return load(mask);
}

// Turns a row of scores into probabilities; returns its log-sum-exp.
float softmax_row(const Sizes& s, Vec mask, float* row) {
  const std::int64_t last = s.padded_tokens - kLanes;
  const Vec lowest = splat(-1e30f);
  Vec top = mask != Vec{} ? load(row + last) : lowest;
  for (std::int64_t t = 0; t < last; t += kLanes) top = max(top, load(row + t));
  const float highest = largest(top);
  Vec total{};
  for (std::int64_t t = 0; t <= last; t += kLanes) {
    Vec e = exp(load(row + t) - splat(highest));
    if (t == last) e *= mask;
    total += e;
    store(row + t, e);
  }
  const float normalizer = sum(total);
  const Vec inverse = splat(1.f / normalizer);
  for (std::int64_t t = 0; t <= last; t += kLanes) store(row + t, load(row + t) * inverse);
  return highest + std::log(normalizer);
}

// p: scores -> probabilities; ds: d(probabilities) -> d(scores).
void softmax_backward_row(const Sizes& s, Vec mask, float log_sum_exp, float* p, float* ds) {
  const std::int64_t last = s.padded_tokens - kLanes;
  Vec dot{};
  for (std::int64_t t = 0; t <= last; t += kLanes) {
    Vec e = exp(load(p + t) - splat(log_sum_exp));
    if (t == last) e *= mask;
    store(p + t, e);
    dot += e * load(ds + t);
  }
  const Vec total = splat(sum(dot));
  for (std::int64_t t = 0; t <= last; t += kLanes) store(ds + t, load(p + t) * (load(ds + t) - total));
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
    const T* sample = qkv + n * spec.qkv.sample_elements();
    T* out_sample = out + n * out_shape.sample_elements();
    gather_head<T>({spec.qkv, first, s.head_dim, s.padded_head_dim}, sample, s.scale, w.q);
    gather_head<T>({spec.qkv, s.width + first, s.head_dim, s.padded_head_dim}, sample, 1.f, w.k);
    gather_head<T>({spec.qkv, 2 * s.width + first, s.head_dim, s.padded_head_dim}, sample, 1.f, w.v);
    all_pairs(s, w.q, w.k, w.transposed, w.p);
    for (std::int64_t t = 0; t < s.tokens; ++t) {
      const float lse = softmax_row(s, mask, w.p + t * s.padded_tokens);
      if (log_sum_exp) log_sum_exp[job * s.tokens + t] = lse;
    }
    gemm(s.tokens, s.padded_head_dim,
         {w.p, s.padded_tokens, 1, w.v, s.padded_head_dim, w.o, s.padded_head_dim, s.tokens, false});
    scatter_head<T>({out_shape, first, s.head_dim, s.padded_head_dim}, w.o, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

template <class T>
void backward(const AttentionSpec& spec, const T* qkv, const float* log_sum_exp, const T* dout, T* dqkv,
              bool accumulate, float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, workspace + omp_get_thread_num() * scratch_floats(s));
    const T* sample = qkv + n * spec.qkv.sample_elements();
    T* dsample = dqkv + n * spec.qkv.sample_elements();
    gather_head<T>({spec.qkv, first, s.head_dim, s.padded_head_dim}, sample, s.scale, w.q);
    gather_head<T>({spec.qkv, s.width + first, s.head_dim, s.padded_head_dim}, sample, 1.f, w.k);
    gather_head<T>({spec.qkv, 2 * s.width + first, s.head_dim, s.padded_head_dim}, sample, 1.f, w.v);
    gather_head<T>({out_shape, first, s.head_dim, s.padded_head_dim}, dout + n * out_shape.sample_elements(),
                   1.f, w.dout);
    all_pairs(s, w.q, w.k, w.transposed, w.p);
    all_pairs(s, w.dout, w.v, w.transposed, w.ds);
    for (std::int64_t t = 0; t < s.tokens; ++t)
      softmax_backward_row(s, mask, log_sum_exp[job * s.tokens + t], w.p + t * s.padded_tokens,
                           w.ds + t * s.padded_tokens);
    // dv = p^T dout, dk = ds^T q (q is scaled already), dq = scale ds k
    gemm(s.tokens, s.padded_head_dim,
         {w.p, 1, s.padded_tokens, w.dout, s.padded_head_dim, w.o, s.padded_head_dim, s.tokens, false});
    scatter_head<T>({spec.qkv, 2 * s.width + first, s.head_dim, s.padded_head_dim}, w.o, 1.f, accumulate,
                    dsample);
    gemm(s.tokens, s.padded_head_dim,
         {w.ds, 1, s.padded_tokens, w.q, s.padded_head_dim, w.o, s.padded_head_dim, s.tokens, false});
    scatter_head<T>({spec.qkv, s.width + first, s.head_dim, s.padded_head_dim}, w.o, 1.f, accumulate,
                    dsample);
    gemm(s.tokens, s.padded_head_dim,
         {w.ds, s.padded_tokens, 1, w.k, s.padded_head_dim, w.o, s.padded_head_dim, s.tokens, false});
    scatter_head<T>({spec.qkv, first, s.head_dim, s.padded_head_dim}, w.o, s.scale, accumulate, dsample);
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
    backward(spec, static_cast<const bf16*>(qkv), log_sum_exp, static_cast<const bf16*>(dout),
             static_cast<bf16*>(dqkv), accumulate, workspace);
  else
    backward(spec, static_cast<const float*>(qkv), log_sum_exp, static_cast<const float*>(dout),
             static_cast<float*>(dqkv), accumulate, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
