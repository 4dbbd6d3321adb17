// The gradient of the kernels of 3x3 convolutions with stride 1 and a border of 1, for bf16 feature maps
// (AVX512-BF16), as winograd_bf16.h has it: the transformed input and gradient of some tiles at a time,
// multiplied while they are in the cache.

#ifdef __AVX512BF16__

#include <omp.h>

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/winograd_bf16.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace winograd_bf16;

constexpr std::int64_t kChunkBytes = 1 << 20;  // of V and Z in flight in a thread
constexpr std::int64_t kLeastPairs = 8;        // of tiles in flight

// dg = G^T dU G of 16 kernels.
void transform_kernel_grads(const Vec* du, Vec* dg) {
  const Vec half = splat(0.5f);
  Vec t[12];
  for (int j = 0; j < 4; ++j) {
    const Vec plus = half * (du[4 + j] + du[8 + j]), minus = half * (du[4 + j] - du[8 + j]);
    t[j] = du[j] + plus;
    t[4 + j] = minus;
    t[8 + j] = plus + du[12 + j];
  }
  for (int i = 0; i < 3; ++i) {
    const Vec* r = t + 4 * i;
    const Vec plus = half * (r[1] + r[2]);
    dg[3 * i] = r[0] + plus;
    dg[3 * i + 1] = half * (r[1] - r[2]);
    dg[3 * i + 2] = plus + r[3];
  }
}

template <WinogradForm kForm>
struct WeightGrad {
  static constexpr int kCount = kProducts<kForm>;
  const WinogradSpec& s;
  Tiles tiles;
  std::int64_t in, out, pairs, chunk;  // stored channels; pairs of tiles: the same tile of two images

  explicit WeightGrad(const WinogradSpec& spec)
      : s(spec),
        tiles(spec, kSide),
        in(spec.x.stored_channels()),
        out(spec.y.stored_channels()),
        pairs((spec.x.n + 1) / 2 * tiles.per_image()) {
    const std::int64_t fitting = kChunkBytes / (kCount * (in + out) * std::int64_t(sizeof(Pair)));
    chunk = smaller(fitting < kLeastPairs ? kLeastPairs : fitting, pairs);
  }

  // Pairs from one product to the next.
  std::int64_t v_position() const { return position_bytes(chunk * in * 4) / 4; }
  std::int64_t z_position() const { return position_bytes(chunk * out * 4) / 4; }
  std::int64_t v_pairs() const { return kCount * v_position(); }
  std::int64_t z_pairs() const { return kCount * z_position(); }
  std::int64_t du_floats() const { return kCount * in * out; }
  // A thread's dU, sums of dy, V and Z.
  std::int64_t thread_floats() const { return du_floats() + out + v_pairs() + z_pairs(); }

  // Null beyond the last image.
  const bf16* strip(const BlockedShape& shape, const bf16* t, std::int64_t image, std::int64_t c) const {
    return image < shape.n ? t + image * shape.sample_elements() + channel_offset(shape, c) : nullptr;
  }

  // V: [product][pair of tiles][input channel], of a run whose first pair is number `at` of those in flight.
  void fill_v(const bf16* x, const Run& run, std::int64_t at, Pair* v) const {
    const std::int64_t distance = v_position();
    for (std::int64_t c = 0; c < in; c += kLanes) {
      InputProducts<kForm> a(strip(s.x, x, 2 * run.image, c), s, run);
      InputProducts<kForm> b(strip(s.x, x, 2 * run.image + 1, c), s, run);
      for (std::int64_t k = 0; k < run.count; ++k) {
        Vec first[kCount], second[kCount];
        a.next(first);
        b.next(second);
        Pair* to = v + (at + k) * in + c;
        for (int p = 0; p < kCount; ++p, to += distance) store_pairs(to, first[p], second[p]);
      }
    }
  }

  // Z: [product][pair of tiles][output channel]. Adds dy to `sums` [output channel].
  void fill_z(const bf16* dy, const Run& run, std::int64_t at, Pair* z, float* sums) const {
    const std::int64_t distance = z_position();
    for (std::int64_t c = 0; c < out; c += kLanes) {
      OutputGradTiles a(strip(s.y, dy, 2 * run.image, c), s.y, s.height, s.width, run);
      OutputGradTiles b(strip(s.y, dy, 2 * run.image + 1, c), s.y, s.height, s.width, run);
      Vec sum = load(sums + c);
      for (std::int64_t k = 0; k < run.count; ++k) {
        Vec first[kPositions], second[kPositions];
        sum += a.next(first);
        sum += b.next(second);
        Pair* to = z + (at + k) * out + c;
        for (int p = 0; p < kCount; ++p, to += distance)
          store_pairs(to, first[position<kForm>(p)], second[position<kForm>(p)]);
      }
      store(sums + c, sum);
    }
  }

  // dU: [product][input channel][output channel], of `count` pairs in flight.
  void multiply(const Pair* v, const Pair* z, std::int64_t count, bool accumulate, float* du) const {
    for (int p = 0; p < kCount; ++p)
      for (std::int64_t row = 0; row < in; row += kLanes)
        for (std::int64_t column = 0; column < out;) {
          const std::int64_t vecs = smaller(out - column, 4 * kLanes) / kLanes;
          const PairProduct product{v + p * v_position() + row,
                                    1,
                                    in,
                                    z + p * z_position() + column,
                                    out,
                                    du + (p * in + row) * out + column,
                                    out,
                                    count,
                                    accumulate};
          if (vecs == 4) multiply_rows<4, 4>(product, kLanes);
          if (vecs == 3) multiply_rows<8, 3>(product, kLanes);
          if (vecs == 2) multiply_rows<8, 2>(product, kLanes);
          if (vecs == 1) multiply_rows<16, 1>(product, kLanes);
          column += vecs * kLanes;
        }
  }

  // dU and the sums of dy of pairs [begin, end).
  void sum_tiles(const bf16* x, const bf16* dy, std::int64_t begin, std::int64_t end, float* du) const {
    float* sums = du + du_floats();
    auto* v = reinterpret_cast<Pair*>(sums + out);
    Pair* z = v + v_pairs();
    for (std::int64_t i = begin < end ? du_floats() : 0; i < du_floats() + out; ++i) du[i] = 0;
    for (std::int64_t first = begin; first < end; first += chunk) {
      const std::int64_t count = smaller(end - first, chunk);
      for_runs(tiles, first, count, [&](const Run& run, std::int64_t at) {
        fill_v(x, run, at, v);
        fill_z(dy, run, at, z, sums);
      });
      multiply(v, z, count, first > begin, du);
    }
  }

  // Adds the gradients that dU and the sums of dy mean for 16 output channels from `o`.
  void add_to(const float* du, std::int64_t o, float* dweight, float* dbias) const {
    const std::int64_t known = smaller(s.y.channels - o, kLanes);
    if (known <= 0) return;
    const auto mask = __mmask16((1u << known) - 1);
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i offsets = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(int(9 * s.x.channels)));
    for (std::int64_t i = 0; i < s.x.channels; ++i) {
      Vec u[kPositions] = {}, dg[9];
      for (int p = 0; p < kCount; ++p) u[position<kForm>(p)] = load(du + (p * in + i) * out + o);
      transform_kernel_grads(u, dg);
      float* to = dweight + (o * s.x.channels + i) * 9;
      for (int tap = 0; tap < 9; ++tap) {
        const __m512 old = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, offsets, to + tap, 4);
        _mm512_mask_i32scatter_ps(to + tap, mask, offsets, _mm512_add_ps(old, as_m512(dg[tap])), 4);
      }
    }
    for (std::int64_t k = 0; dbias && k < known; ++k) dbias[o + k] += du[du_floats() + o + k];
  }
};

// Every thread sums over tiles of its own; shared sums would move between the caches of the cores.
template <WinogradForm kForm>
void weight_grad(const WinogradSpec& spec, const bf16* x, const bf16* dy, float* dweight, float* dbias,
                 float* sums) {
  const WeightGrad<kForm> g(spec);
#pragma omp parallel num_threads(spec.threads)
  {
    const std::int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    g.sum_tiles(x, dy, g.pairs * thread / threads, g.pairs * (thread + 1) / threads,
                sums + thread * g.thread_floats());
#pragma omp barrier
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < g.du_floats() + g.out; i += kLanes) {
      Vec sum = load(sums + i);
      for (std::int64_t other = 1; other < threads; ++other)
        sum += load(sums + other * g.thread_floats() + i);
      store(sums + i, sum);
    }
#pragma omp for schedule(static)
    for (std::int64_t o = 0; o < g.out; o += kLanes) g.add_to(sums, o, dweight, dbias);
  }
}

// Not the shrinking form, which has no weights of its own.
template <class What>
auto with_weight_form(const WinogradSpec& spec, What what) {
  return spec.form == WinogradForm::enlarging ? what.template operator()<WinogradForm::enlarging>()
                                              : what.template operator()<WinogradForm::plain>();
}

}  // namespace

std::size_t winograd_bf16_weight_grad_workspace(const WinogradSpec& spec) {
  return with_weight_form(spec, [&]<WinogradForm kForm>() {
    return std::size_t(WeightGrad<kForm>(spec).thread_floats() * spec.threads) * sizeof(float);
  });
}

void winograd_bf16_weight_grad(const WinogradSpec& spec, const void* x, const void* dy, float* dweight,
                               float* dbias, std::byte* workspace) {
  with_weight_form(spec, [&]<WinogradForm kForm>() {
    weight_grad<kForm>(spec, static_cast<const bf16*>(x), static_cast<const bf16*>(dy), dweight, dbias,
                       reinterpret_cast<float*>(workspace));
  });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
