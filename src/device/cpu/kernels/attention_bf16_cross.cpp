// The forward of attention to other tokens, and of causal attention, in inference: products of pairs of bf16
// as in attention_bf16.cpp, but each row of scores is first searched for its largest, and masks are allowed.
// Training computes these in f32 (attention.cpp), because its backward does.

#include "device/cpu/kernels/attention_bf16.h"

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)

#include <omp.h>

#include "device/cpu/kernels/attention_bf16_head.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;

// Of one head: queries and keys have the same features.
struct CrossSizes {
  Sizes q, k;

  explicit CrossSizes(const AttentionSpec& spec) {
    const std::int64_t width = spec.crosses() ? spec.qkv.channels : spec.qkv.channels / 3;
    q = sizes_of_tokens(spec.qkv.pixels, width, spec.heads);
    k = sizes_of_tokens(spec.keys().pixels, width, spec.heads);
  }
};

// Scratch of one thread.
struct CrossScratch {
  bf16 *q, *k, *v;      // rows
  Pair* k_by_feature;   // [feature pairs][columns]
  Pair* v_interleaved;  // [token pairs][features]
  float* visible;       // [2 columns]: 1 for keys that may be seen, else 0; causal: 1 in the first half
  float* scores;        // [kRowBlock][columns]
  bf16* probabilities;  // [kRowBlock][columns]
  float* result;        // [queries][features]
  std::int64_t floats;

  CrossScratch(const CrossSizes& s, float* base) {
    std::int64_t used = 0;
    const auto take = [&](std::int64_t count) {
      float* at = base + used;
      used += round_up(count, kLanes);
      return at;
    };
    const std::int64_t features = s.k.features, columns = s.k.columns, slack = kLanes * kLanes;
    const auto rows = [&](std::int64_t tokens) {
      return reinterpret_cast<bf16*>(take(tokens * features / 2 + slack));
    };
    q = rows(s.q.columns);
    k = rows(columns);
    v = rows(columns);
    k_by_feature = reinterpret_cast<Pair*>(take(round_up(features / 2, kLanes) * columns));
    v_interleaved = reinterpret_cast<Pair*>(take(round_up(s.k.token_pairs, kLanes) * features));
    visible = take(2 * columns);
    scores = take(kRowBlock * columns);
    probabilities = reinterpret_cast<bf16*>(take(kRowBlock * columns / 2));
    result = take(s.q.columns * features);
    floats = used;
  }
};

void fill_visible(const AttentionSpec& spec, const Sizes& k, const float* mask, float* visible) {
  for (std::int64_t j = 0; j < 2 * k.columns; ++j)
    visible[j] =
        spec.causal ? float(j < k.columns) : float(j < k.tokens && (mask == nullptr || mask[j] != 0));
}

// e^(score - largest) of a row as bf16; returns 1 / their sum, or 0 for a row that sees nothing.
float exponentials(const Sizes& k, const float* visible, const float* scores, bf16* probabilities) {
  Vec top = splat(-1e30f);
  for (std::int64_t t = 0; t < k.columns; t += kLanes)
    top = max(top, load(visible + t) != Vec{} ? load(scores + t) : splat(-1e30f));
  const Vec factor = splat(k.log2_scale()), offset = splat(-largest(top) * k.log2_scale());
  Vec total{};
  for (std::int64_t t = 0; t < k.columns; t += kLanes) {
    const Vec p = load(visible + t) != Vec{} ? quick_exp2(load(scores + t) * factor + offset) : Vec{};
    total += p;
    store(probabilities + t, p);
  }
  const float normalizer = sum(total);
  return normalizer > 0 ? 1.f / normalizer : 0.f;
}

void forward_head(const AttentionSpec& spec, const CrossSizes& s, const CrossScratch& w) {
  const Sizes& k = s.k;
  transpose(k.columns, k.row_pairs(), pairs(w.k), k.row_pairs(), w.k_by_feature, k.columns);
  interleave(k, w.v, w.v_interleaved);
  for (std::int64_t first = 0; first < s.q.tokens; first += kRowBlock) {
    const std::int64_t rows = first + kRowBlock < s.q.tokens ? kRowBlock : s.q.tokens - first;
    multiply(rows, k.columns,
             {pairs(w.q) + first * k.row_pairs(), k.row_pairs(), 1, w.k_by_feature, k.columns, w.scores,
              k.columns, k.feature_pairs(), false});
    float inverse[kRowBlock];
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* visible = spec.causal ? w.visible + k.columns - 1 - (first + r) : w.visible;
      inverse[r] = exponentials(k, visible, w.scores + r * k.columns, w.probabilities + r * k.columns);
    }
    float* result = w.result + first * k.features;
    multiply(rows, k.features,
             {pairs(w.probabilities), k.columns / 2, 1, w.v_interleaved, k.features, result, k.features,
              k.token_pairs, false});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < k.features; d += kLanes)
        store(result + r * k.features + d, load(result + r * k.features + d) * splat(inverse[r]));
  }
}

}  // namespace

std::size_t pair_cross_attention_workspace(const AttentionSpec& spec) {
  return std::size_t(CrossScratch(CrossSizes(spec), nullptr).floats);
}

void pair_cross_attention_forward(const AttentionSpec& spec, const AttentionInput& in, void* out,
                                  float* workspace) {
  const CrossSizes s(spec);
  BlockedShape out_shape = spec.qkv;
  out_shape.channels = s.q.width;
  const auto *q = static_cast<const bf16*>(in.q), *kv = static_cast<const bf16*>(in.kv);
  const std::int64_t per_thread = std::int64_t(pair_cross_attention_workspace(spec));
  const std::int64_t first_key = spec.crosses() ? 0 : s.k.width;
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t job = 0; job < spec.qkv.n * spec.heads; ++job) {
    const std::int64_t n = job / spec.heads, first = job % spec.heads * s.k.head_dim;
    const CrossScratch w(s, workspace + omp_get_thread_num() * per_thread);
    const bf16* kv_sample = kv + n * spec.keys().sample_elements();
    bf16* out_sample = static_cast<bf16*>(out) + n * out_shape.sample_elements();
    fill_visible(spec, s.k, in.mask ? in.mask + n * s.k.tokens : nullptr, w.visible);
    gather(spec.qkv, s.q, q + n * spec.qkv.sample_elements(), first, w.q);
    gather(spec.keys(), s.k, kv_sample, first_key + first, w.k);
    gather(spec.keys(), s.k, kv_sample, first_key + s.k.width + first, w.v);
    forward_head(spec, s, w);
    scatter(out_shape, s.q, w.result, first, 1.f, false, out_sample);
    if (job % spec.heads == spec.heads - 1) clear_tail(out_shape, out_sample);
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
