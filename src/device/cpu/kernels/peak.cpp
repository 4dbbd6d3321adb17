// Multiplications and additions in registers alone: what this machine's arithmetic can do at best.

#include "device/cpu/kernels/amx.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr int kChains = 12;  // independent sums: more than latency times issue rate of any current core

}  // namespace

double multiply_adds_f32(std::int64_t rounds, float* data) {
  const Vec a = load(data), b = load(data + kLanes);
  Vec sum[kChains];  // of different values, or the compiler computes one for all
  for (int c = 0; c < kChains; ++c) sum[c] = splat(float(c));
  for (std::int64_t r = 0; r < rounds; ++r)
    for (int c = 0; c < kChains; ++c) sum[c] = sum[c] * a + b;
  for (int c = 0; c < kChains; ++c) store(data, load(data) + sum[c]);
  return 2.0 * kLanes * kChains * double(rounds);
}

#ifdef __AMX_BF16__
double multiply_adds_bf16(std::int64_t rounds, float* data) {
  const amx::TileRegisters registers;
  alignas(64) float tile[amx::kRows * amx::kRows];
  for (float& x : tile) x = *data;
  unroll<4>([&](auto t) { amx::clear_tile<t>(); });
  unroll<4>([&](auto t) { amx::load_tile<4 + t>(tile, 64); });
  for (std::int64_t r = 0; r < rounds; ++r)
    unroll<4>([&](auto t) { amx::multiply_tiles<t, 4 + t / 2, 6 + t % 2>(); });
  unroll<4>([&](auto t) {
    amx::store_tile<t>(tile, 64);
    *data += tile[0];
  });
  return 2.0 * 4 * amx::kRows * amx::kRows * amx::kDepth * double(rounds);
}
#elif defined(__AVX512BF16__)
double multiply_adds_bf16(std::int64_t rounds, float* data) {
  const auto a = bits_of<__m512bh>(load(data)), b = bits_of<__m512bh>(load(data + kLanes));
  __m512 sum[kChains];
  for (int c = 0; c < kChains; ++c) sum[c] = _mm512_set1_ps(float(c));
  for (std::int64_t r = 0; r < rounds; ++r)
    for (int c = 0; c < kChains; ++c) sum[c] = _mm512_dpbf16_ps(sum[c], a, b);
  for (int c = 0; c < kChains; ++c) store(data, load(data) + bits_of<Vec>(sum[c]));
  return 4.0 * kLanes * kChains * double(rounds);
}
#endif

}  // namespace diffusion::DIFFUSION_ISA
