// The forward of attention on tiles (attention_amx.h).

#ifdef __AMX_BF16__

#include "device/cpu/kernels/attention_amx.h"

#include "device/cpu/kernels/attention_bf16.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;

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

// Rows of probabilities, unnormalized: sums of kBlock of them, and what was subtracted from their scores
// before e^x. That is nothing, and there is no pass for the largest score, unless scores are too large or
// small for it.
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

}  // namespace

std::size_t pair_attention_workspace(const AttentionSpec& spec, bool /*backward*/) {
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

}  // namespace diffusion::DIFFUSION_ISA

#endif
