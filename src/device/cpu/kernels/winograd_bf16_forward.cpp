// 3x3 convolutions with stride 1 and a border of 1, for bf16 feature maps on CPUs that multiply pairs of bf16
// (AVX512-BF16): Winograd's F(2x2, 3x3), as winograd_bf16.h has it; also of enlarged images, and the
// transpose of that.

#ifdef __AVX512BF16__

#include <omp.h>

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/winograd_bf16_forward.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace winograd_bf16;

template <WinogradForm kForm>
void pack(const WinogradSpec& spec, const float* weight, bool mirrored, std::uint32_t* packed) {
  const std::int64_t in = spec.x.stored_channels(), out = spec.y.stored_channels(), pairs = in / 2;
  const std::int64_t from_i = 9 * (mirrored ? spec.y.channels : 1),
                     from_o = 9 * (mirrored ? 1 : spec.x.channels);
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i lane_offsets = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(int(from_i)));
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t panel = o / kPanel * kPanel, width = smaller(out - panel, kPanel);
    const __m256i pair_offsets =
        _mm256_mullo_epi32(_mm512_castsi512_si256(lanes), _mm256_set1_epi32(int(width)));
    for (std::int64_t i = 0; i < in; i += kLanes) {
      const std::int64_t known = o < spec.y.channels ? smaller(spec.x.channels - i, kLanes) : 0;
      const __mmask16 mask = known > 0 ? __mmask16((1u << known) - 1) : __mmask16(0);
      const float* first = weight + i * from_i + o * from_o;
      Vec g[9], u[kPositions];
      for (int tap = 0; tap < 9; ++tap)
        g[tap] = bits_of<Vec>(_mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, lane_offsets,
                                                       first + (mirrored ? 8 - tap : tap), 4));
      transform_kernels(g, u);
      for (int p = 0; p < kProducts<kForm>; ++p)
        _mm256_i32scatter_epi32(packed + p * pairs * out + panel * pairs + i / 2 * width + o - panel,
                                pair_offsets,
                                bits_of<__m256i>(_mm512_cvtneps_pbh(as_m512(u[position<kForm>(p)]))), 4);
    }
  }
}

template <WinogradForm kForm>
void forward(const WinogradSpec& spec, const bf16* x, const std::uint32_t* packed, const float* bias, bf16* y,
             bool accumulate, std::byte* workspace) {
  const Forward<kForm> f(spec);
  const std::int64_t chunks = (f.count + kTiles - 1) / kTiles;
#pragma omp parallel num_threads(spec.threads)
  {
    std::byte* own = workspace + omp_get_thread_num() * (f.v_bytes() + f.m_bytes());
    auto* v = reinterpret_cast<bf16*>(own);
    auto* m = reinterpret_cast<float*>(own + f.v_bytes());
#pragma omp for schedule(static)
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int64_t first = chunk * kTiles, tiles = smaller(f.count - first, kTiles);
      for_runs(f.tiles, first, tiles, [&](const Run& run, std::int64_t at) { f.fill_v(x, run, at, v); });
      for (std::int64_t panel = 0; panel < f.out; panel += kPanel)
        for (std::int64_t group = 0; group < tiles; group += f.group) {
          f.fill_m(v + group * f.in, packed, panel, m);
          for_runs(
              f.tiles, first + group, smaller(tiles - group, f.group),
              [&](const Run& run, std::int64_t at) { f.store_y(m, bias, panel, run, at, accumulate, y); });
        }
    }
  }
}

}  // namespace

std::size_t winograd_bf16_packed_pairs(const WinogradSpec& spec) {
  const std::int64_t products = with_form(spec.form, []<WinogradForm kForm>() { return kProducts<kForm>; });
  return std::size_t(products * spec.x.stored_channels() / 2 * spec.y.stored_channels());
}

// packed: [product][panel of output channels][pair of input channels][output channel of the panel]. Mirrored,
// the weight belongs to the convolution from y to x.
void winograd_bf16_pack(const WinogradSpec& spec, const float* weight, bool mirrored, std::uint32_t* packed) {
  with_form(spec.form, [&]<WinogradForm kForm>() { pack<kForm>(spec, weight, mirrored, packed); });
}

std::size_t winograd_bf16_forward_workspace(const WinogradSpec& spec) {
  return with_form(spec.form, [&]<WinogradForm kForm>() {
    const Forward<kForm> f(spec);
    return std::size_t((f.v_bytes() + f.m_bytes()) * spec.threads);
  });
}

void winograd_bf16_forward(const WinogradSpec& spec, const void* x, const std::uint32_t* packed,
                           const float* bias, void* y, bool accumulate, std::byte* workspace) {
  with_form(spec.form, [&]<WinogradForm kForm>() {
    forward<kForm>(spec, static_cast<const bf16*>(x), packed, bias, static_cast<bf16*>(y), accumulate,
                   workspace);
  });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
