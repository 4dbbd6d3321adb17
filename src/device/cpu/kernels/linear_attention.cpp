// Linear attention per (sample, head), in f32, inside one thread's cache.

#include <omp.h>

#include <cmath>

#include "device/cpu/kernels/gemm.h"
#include "device/cpu/kernels/head_rows.h"
#include "device/cpu/kernels/kernels.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

struct Sizes {
  std::int64_t pixels, head_dim, row,
      width;  // row: head_dim in whole vectors; width: channels of q, of k, of v
  float scale;
};

Sizes sizes_of(const AttentionSpec& spec) {
  const std::int64_t width = spec.qkv.channels / 3, head_dim = width / spec.heads;
  return {spec.qkv.pixels, head_dim, (head_dim + kLanes - 1) / kLanes * kLanes, width,
          1.f / std::sqrt(float(head_dim))};
}

// Scratch of one thread: rows [pixel][channel of the head] and matrices [channel][channel].
struct Scratch {
  float *q, *k, *v, *dout, *grad;
  float *context, *dcontext, *transposed;
};

std::int64_t scratch_floats(const Sizes& s) {
  return 5 * s.pixels * s.row + 3 * s.row * s.row;
}

Scratch scratch_of(const Sizes& s, float* base) {
  const std::int64_t rows = s.pixels * s.row, matrix = s.row * s.row;
  float* matrices = base + 5 * rows;
  return {base,     base + rows,       base + 2 * rows,      base + 3 * rows, base + 4 * rows,
          matrices, matrices + matrix, matrices + 2 * matrix};
}

// Lanes of the last vector of a row that hold channels: 1, else 0.
Vec tail_mask(const Sizes& s) {
  float mask[kLanes];
  for (int i = 0; i < kLanes; ++i) mask[i] = s.row - kLanes + i < s.head_dim ? 1.f : 0.f;
  return load(mask);
}

// Each row becomes its softmax times `factor`.
void softmax_rows(const Sizes& s, Vec mask, float factor, float* rows) {
  const std::int64_t last = s.row - kLanes;
  for (std::int64_t p = 0; p < s.pixels; ++p) {
    float* row = rows + p * s.row;
    Vec top = mask != Vec{} ? load(row + last) : splat(-1e30f);
    for (std::int64_t d = 0; d < last; d += kLanes) top = max(top, load(row + d));
    const Vec highest = splat(largest(top));
    Vec total{};
    for (std::int64_t d = 0; d <= last; d += kLanes) {
      Vec e = exp(load(row + d) - highest);
      if (d == last) e *= mask;
      total += e;
      store(row + d, e);
    }
    const Vec inverse = splat(factor / sum(total));
    for (std::int64_t d = 0; d <= last; d += kLanes) store(row + d, load(row + d) * inverse);
  }
}

// Each column becomes its softmax.
void softmax_columns(const Sizes& s, float* rows) {
  for (std::int64_t d = 0; d < s.row; d += kLanes) {
    float* column = rows + d;
    Vec highest = load(column);
    for (std::int64_t p = 1; p < s.pixels; ++p) highest = max(highest, load(column + p * s.row));
    Vec total{};
    for (std::int64_t p = 0; p < s.pixels; ++p) {
      const Vec e = exp(load(column + p * s.row) - highest);
      total += e;
      store(column + p * s.row, e);
    }
    const Vec inverse = splat(1.f) / total;
    for (std::int64_t p = 0; p < s.pixels; ++p) store(column + p * s.row, load(column + p * s.row) * inverse);
  }
}

// grad = p * (grad - sum over the row of p grad / factor), where p is softmax times factor and grad d(p).
void softmax_rows_backward(const Sizes& s, float factor, const float* probability, float* grad) {
  const float inverse = 1.f / factor;
  for (std::int64_t p = 0; p < s.pixels; ++p) {
    const float* row = probability + p * s.row;
    float* g = grad + p * s.row;
    Vec dot{};
    for (std::int64_t d = 0; d < s.row; d += kLanes) dot += load(row + d) * load(g + d);
    const Vec mean = splat(sum(dot) * inverse);
    for (std::int64_t d = 0; d < s.row; d += kLanes) store(g + d, load(row + d) * (load(g + d) - mean));
  }
}

void softmax_columns_backward(const Sizes& s, const float* probability, float* grad) {
  for (std::int64_t d = 0; d < s.row; d += kLanes) {
    Vec mean{};
    for (std::int64_t p = 0; p < s.pixels; ++p)
      mean += load(probability + p * s.row + d) * load(grad + p * s.row + d);
    for (std::int64_t p = 0; p < s.pixels; ++p) {
      float* g = grad + p * s.row + d;
      store(g, load(probability + p * s.row + d) * (load(g) - mean));
    }
  }
}

void transpose(const Sizes& s, const float* matrix, float* out) {
  for (std::int64_t i = 0; i < s.row; ++i)
    for (std::int64_t j = 0; j < s.row; ++j) out[j * s.row + i] = matrix[i * s.row + j];
}

// c [pixel][] = a [pixel][] matrix
void rows_times(const Sizes& s, const float* a, const float* matrix, float* c) {
  gemm(s.pixels, s.row, {a, s.row, 1, matrix, s.row, c, s.row, s.row, false});
}

// c = a^T b, summed over pixels
void rows_product(const Sizes& s, const float* a, const float* b, float* c) {
  gemm(s.row, s.row, {a, 1, s.row, b, s.row, c, s.row, s.pixels, false});
}

// Fills q (softmax times scale), k (softmax), v (over pixels) and context.
template <class T>
void prepare(const AttentionSpec& spec, const Sizes& s, Vec mask, const T* sample, std::int64_t first,
             const Scratch& w) {
  gather_head<T>({spec.qkv, first, s.head_dim, s.row}, sample, 1.f, w.q);
  gather_head<T>({spec.qkv, s.width + first, s.head_dim, s.row}, sample, 1.f, w.k);
  gather_head<T>({spec.qkv, 2 * s.width + first, s.head_dim, s.row}, sample, 1.f / float(s.pixels), w.v);
  softmax_rows(s, mask, s.scale, w.q);
  softmax_columns(s, w.k);
  rows_product(s, w.k, w.v, w.context);
}

template <class T>
void forward(const AttentionSpec& spec, const T* qkv, T* out, float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, workspace + omp_get_thread_num() * scratch_floats(s));
    T* out_sample = out + n * out_shape.sample_elements();
    prepare(spec, s, mask, qkv + n * spec.qkv.sample_elements(), first, w);
    rows_times(s, w.q, w.context, w.grad);
    scatter_head<T>({out_shape, first, s.head_dim, s.row}, w.grad, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

template <class T>
void backward(const AttentionSpec& spec, const T* qkv, const T* dout, T* dqkv, bool accumulate,
              float* workspace) {
  const Sizes s = sizes_of(spec);
  const Vec mask = tail_mask(s);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.head_dim;
    const Scratch w = scratch_of(s, workspace + omp_get_thread_num() * scratch_floats(s));
    T* dsample = dqkv + n * spec.qkv.sample_elements();
    prepare(spec, s, mask, qkv + n * spec.qkv.sample_elements(), first, w);
    gather_head<T>({out_shape, first, s.head_dim, s.row}, dout + n * out_shape.sample_elements(), 1.f,
                   w.dout);
    // out = q context, context = k^T v
    transpose(s, w.context, w.transposed);
    rows_times(s, w.dout, w.transposed, w.grad);
    softmax_rows_backward(s, s.scale, w.q, w.grad);
    scatter_head<T>({spec.qkv, first, s.head_dim, s.row}, w.grad, 1.f, accumulate, dsample);
    rows_product(s, w.q, w.dout, w.dcontext);
    transpose(s, w.dcontext, w.transposed);
    rows_times(s, w.v, w.transposed, w.grad);
    softmax_columns_backward(s, w.k, w.grad);
    scatter_head<T>({spec.qkv, s.width + first, s.head_dim, s.row}, w.grad, 1.f, accumulate, dsample);
    rows_times(s, w.k, w.dcontext, w.grad);
    scatter_head<T>({spec.qkv, 2 * s.width + first, s.head_dim, s.row}, w.grad, 1.f / float(s.pixels),
                    accumulate, dsample);
    if (!accumulate && job % spec.heads == spec.heads - 1) clear_tail(spec.qkv, dsample);
  }
}

}  // namespace

std::size_t linear_attention_workspace(const AttentionSpec& spec) {
  return std::size_t(scratch_floats(sizes_of(spec)) * spec.threads);
}

void linear_attention_forward(const AttentionSpec& spec, const void* qkv, void* out, float* workspace) {
  if (spec.bf16)
    forward(spec, static_cast<const bf16*>(qkv), static_cast<bf16*>(out), workspace);
  else
    forward(spec, static_cast<const float*>(qkv), static_cast<float*>(out), workspace);
}

void linear_attention_backward(const AttentionSpec& spec, const void* qkv, const void* dout, void* dqkv,
                               bool accumulate, float* workspace) {
  if (spec.bf16)
    backward(spec, static_cast<const bf16*>(qkv), static_cast<const bf16*>(dout), static_cast<bf16*>(dqkv),
             accumulate, workspace);
  else
    backward(spec, static_cast<const float*>(qkv), static_cast<const float*>(dout), static_cast<float*>(dqkv),
             accumulate, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
