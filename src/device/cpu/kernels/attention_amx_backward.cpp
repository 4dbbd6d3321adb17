// The backward of attention on tiles (attention_amx.h).

#ifdef __AMX_BF16__

#include "device/cpu/kernels/attention_amx.h"
#include "device/cpu/kernels/attention_bf16.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace pair_attention;

// Transposes rows of tokens, by way of pairs of tokens.
void by_feature(const Sizes& s, const bf16* rows, Pair* interleaved, bf16* transposed) {
  interleave(s, rows, interleaved);
  transpose(s.columns / 2, s.features, interleaved, s.features, reinterpret_cast<Pair*>(transposed),
            s.columns / 2);
}

// p = e^(score - log_sum_exp) and ds = p (dp - dot) of queries `row` and `row` + 1 of the block that begins
// at `first`.
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

}  // namespace

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
