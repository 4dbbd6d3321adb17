// Convolutions with 1x1 kernels, which are the linear layers of pixels and tokens, between bf16 feature maps
// on CPUs that multiply pairs of bf16 (AVX512-BF16), with weights as a file has them. The weights of a panel
// of outputs are transposed once, in the cache, for a run of pixels.

#ifdef __AVX512BF16__

#include <omp.h>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/streamed_pairs.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr int kVecs = 4, kPanel = kVecs * kLanes;  // outputs whose weights are in the cache
constexpr int kPixels = 6;                         // pixels whose sums are in registers
constexpr std::int64_t kRun = 85 * kPixels;        // pixels for which a panel is transposed
constexpr int kBlock = kLanes;                     // channels of a block, which are kBlock / 2 pairs

struct Panels {
  const PointwiseSpec& s;
  std::int64_t in, out, panels, runs;  // stored channels; runs of an image

  explicit Panels(const PointwiseSpec& spec)
      : s(spec),
        in(spec.x.stored_channels()),
        out(spec.y.stored_channels()),
        panels((out + kPanel - 1) / kPanel),
        runs((spec.x.pixels + kRun - 1) / kRun) {}

  // A panel's weights and biases, with room for 32 inputs where there are 16 more.
  std::int64_t weight_pairs() const { return (in / 2 + kLanes) * kPanel; }
  std::size_t thread_bytes() const {
    return std::size_t(weight_pairs()) * sizeof(Pair) + kPanel * sizeof(float);
  }

  // [pair of inputs][output of the panel], zeros where there is no weight.
  template <class T>
  void fill_weights(const T* weight, std::int64_t first, Pair* packed) const {
    constexpr std::int64_t kAhead = 16 * kLanes;
    const std::int64_t columns = s.x.channels;
    for (std::int64_t o = 0; o < kPanel; o += kLanes)
      for (std::int64_t i = 0; i < columns; i += 2 * kLanes) {
        Pair rows[kLanes * kLanes];
        for (std::int64_t k = 0; k < kLanes; ++k) {
          const std::int64_t output = first + o + k;
          const bool known = output < s.y.channels;
          __builtin_prefetch(weight + output * columns + i + kAhead);
          _mm512_storeu_si512(rows + k * kLanes, known
                                                     ? load_pairs(weight + output * columns + i, columns - i)
                                                     : _mm512_setzero_si512());
        }
        transpose_tile(rows, kLanes, packed + i / 2 * kPanel + o, kPanel);
      }
  }

  // kRows pixels of a panel with so many vectors of outputs.
  template <int kRows>
  void multiply(const bf16* x, const Pair* packed, const float* bias, std::int64_t vecs, bf16* y) const {
    Vec acc[kRows * kVecs];
    unroll<kRows * kVecs>([&](auto i) { acc[i] = load(bias + i % kVecs * kLanes); });
    const std::int64_t block = s.x.pixels * kBlock;
    for (std::int64_t c = 0; c < in; c += kBlock, x += block) {
      const Pair* pairs = reinterpret_cast<const Pair*>(x);
      for (int k = 0; k < kBlock / 2; ++k, ++pairs, packed += kPanel) {
        __m512i w[kVecs];
        unroll<kVecs>([&](auto v) { w[v] = _mm512_loadu_si512(packed + v * kLanes); });
        unroll<kRows>([&](auto r) {
          const __m512i pixel = broadcast(pairs + r * (kBlock / 2));
          unroll<kVecs>([&](auto v) { acc[r * kVecs + v] = add_products(acc[r * kVecs + v], w[v], pixel); });
        });
      }
    }
    unroll<kVecs>([&](auto v) {
      if (v < vecs)
        unroll<kRows>([&](auto r) { store(y + v * s.y.pixels * kBlock + r * kBlock, acc[r * kVecs + v]); });
    });
  }

  void run(const bf16* x, const Pair* packed, const float* bias, std::int64_t vecs, std::int64_t pixels,
           bf16* y) const {
    std::int64_t p = 0;
    for (; p + kPixels <= pixels; p += kPixels)
      multiply<kPixels>(x + p * kBlock, packed, bias, vecs, y + p * kBlock);
    for (; p + 2 <= pixels; p += 2) multiply<2>(x + p * kBlock, packed, bias, vecs, y + p * kBlock);
    if (p < pixels) multiply<1>(x + p * kBlock, packed, bias, vecs, y + p * kBlock);
  }
};

template <class T>
void pointwise(const PointwiseSpec& spec, const bf16* x, const T* weight, const float* bias, bf16* y,
               std::byte* workspace) {
  const Panels p(spec);
  const std::int64_t runs = spec.x.n * p.runs, jobs = p.panels * runs;
#pragma omp parallel num_threads(spec.threads)
  {
    std::byte* own = workspace + std::size_t(omp_get_thread_num()) * p.thread_bytes();
    auto* biases = reinterpret_cast<float*>(own);
    auto* packed = reinterpret_cast<Pair*>(own + kPanel * sizeof(float));
    std::int64_t filled = -1;
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < jobs; ++job) {
      const std::int64_t panel = job / runs, first = panel * kPanel, n = job % runs / p.runs,
                         pixel = job % p.runs * kRun;
      if (panel != filled) {
        p.fill_weights(weight, first, packed);
        for (std::int64_t o = 0; o < kPanel; ++o)
          biases[o] = bias && first + o < p.out ? bias[first + o] : 0.f;
        filled = panel;
      }
      const std::int64_t left = spec.x.pixels - pixel, vecs = (p.out - first) / kLanes;
      p.run(x + n * spec.x.sample_elements() + pixel * kBlock, packed, biases, vecs,
            left < kRun ? left : kRun,
            y + n * spec.y.sample_elements() + first * spec.y.pixels + pixel * kBlock);
    }
  }
}

}  // namespace

std::size_t streamed_pointwise_workspace(const PointwiseSpec& spec) {
  return Panels(spec).thread_bytes() * std::size_t(spec.threads);
}

void streamed_pointwise(const PointwiseSpec& spec, const void* x, const StoredWeight& weight,
                        const float* bias, void* y, std::byte* workspace) {
  with_stored(weight, [&](const auto* numbers) {
    pointwise(spec, static_cast<const bf16*>(x), numbers, bias, static_cast<bf16*>(y), workspace);
  });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
