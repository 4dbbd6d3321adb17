#include "device/cpu/kernels/attention_bf16.h"

#ifdef __AVX512BF16__

#include <omp.h>

#include "device/cpu/kernels/attention_bf16_head.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;

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

void forward_head(const Sizes& s, Vec mask, const Scratch& w, float* log_sum_exp) {
  transpose(s.columns, s.row_pairs(), pairs(w.k), s.row_pairs(), w.k_by_feature, s.columns);
  interleave(s, w.v, w.v_interleaved);
  for (std::int64_t first = 0; first < s.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.tokens ? kRowBlock : s.tokens - first;
    multiply(rows, s.columns,
             {pairs(w.q) + first * s.row_pairs(), s.row_pairs(), 1, w.k_by_feature, s.columns, w.scores,
              s.columns, s.feature_pairs(), false});
    float inverse[kRowBlock];
    for (std::int64_t r = 0; r < rows; ++r) {
      const RowSum row = softmax_row(s, mask, w.scores + r * s.columns, w.probabilities + r * s.columns);
      inverse[r] = 1.f / row.normalizer;
      if (log_sum_exp) log_sum_exp[first + r] = row.log_sum_exp;
    }
    float* result = w.result + first * s.features;
    multiply(rows, s.features,
             {pairs(w.probabilities), s.columns / 2, 1, w.v_interleaved, s.features, result, s.features,
              s.token_pairs, false});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < s.features; d += kLanes)
        store(result + r * s.features + d, load(result + r * s.features + d) * splat(inverse[r]));
  }
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
    gather_qkv(spec, s, sample, first, w);
    forward_head(s, mask, w, log_sum_exp ? log_sum_exp + job * s.tokens : nullptr);
    scatter(out_shape, s, w.result, first, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
