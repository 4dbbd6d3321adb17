// winograd_bf16_forward.cpp's forward with weights as a file has them. Where an image has many tiles for its
// channels, all weights are transformed to the workspace first. Where it has few, as in the middle of a
// U-Net, weights are what there is most of: the transformed inputs of all tiles lie in the workspace, and
// weights are read once, transformed a slice at a time in the cache, and multiplied with all tiles at once.

#ifdef __AVX512BF16__

#include <omp.h>

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/streamed_pairs.h"
#include "device/cpu/kernels/winograd_bf16_forward.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace winograd_bf16;

constexpr std::int64_t kSlice = 128;        // input channels whose transformed weights are in the cache
constexpr std::int64_t kTilesAtOnce = 258;  // whose sums are there, too; a multiple of kTileRows
constexpr int kTileRows = 6;                // whose sums are in registers

// The weights of kLanes inputs from number `i` and kLanes outputs from number `o`, transformed:
// u[product][pair of inputs][output], distances of products and pairs given.
template <WinogradForm kForm, class T>
void transform_block(const WinogradSpec& s, const T* weight, std::int64_t i, std::int64_t o,
                     std::int64_t product_distance, std::int64_t pair_distance, Pair* u) {
  constexpr std::int64_t kTaps = 9, kRow = kLanes * kTaps, kPrefetch = 64 / sizeof(T);
  alignas(64) float by_output[kLanes * kRow], by_input[kRow * kLanes];
  const std::int64_t known = smaller(s.x.channels - i, kLanes) * kTaps;
  for (std::int64_t k = 0; k < kLanes; ++k) {
    float* row = by_output + k * kRow;
    const std::int64_t taps = o + k < s.y.channels && known > 0 ? known : 0;
    const T* from = weight + ((o + k) * s.x.channels + i) * kTaps;
    for (std::int64_t t = 0; t < kRow; t += kPrefetch) __builtin_prefetch(from + 2 * kRow + t);
    if (taps > 0) widen_row(from, taps, row);
    for (std::int64_t t = taps; t < kRow; ++t) row[t] = 0;
  }
  transpose(kLanes, kRow, by_output, kRow, by_input, kLanes);
  for (std::int64_t pair = 0; pair < kLanes / 2; ++pair) {
    Vec g[9], even[kPositions], odd[kPositions];
    const float* taps = by_input + pair * 2 * kTaps * kLanes;
    for (int t = 0; t < kTaps; ++t) g[t] = load(taps + t * kLanes);
    transform_kernels(g, even);
    for (int t = 0; t < kTaps; ++t) g[t] = load(taps + (kTaps + t) * kLanes);
    transform_kernels(g, odd);
    for (int p = 0; p < kProducts<kForm>; ++p)
      store_pairs(u + p * product_distance + pair * pair_distance, even[position<kForm>(p)],
                  odd[position<kForm>(p)]);
  }
}

// As winograd_bf16_pack() does.
template <WinogradForm kForm, class T>
void pack_all(const WinogradSpec& s, const T* weight, Pair* packed) {
  const std::int64_t in = s.x.stored_channels(), out = s.y.stored_channels(), pairs = in / 2;
#pragma omp parallel for schedule(static) num_threads(s.threads)
  for (std::int64_t o = 0; o < out; o += kLanes) {
    const std::int64_t panel = o / kPanel * kPanel, width = smaller(out - panel, kPanel);
    for (std::int64_t i = 0; i < in; i += kLanes)
      transform_block<kForm>(s, weight, i, o, pairs * out, width,
                             packed + panel * pairs + i / 2 * width + o - panel);
  }
}

// Few tiles, many weights.
template <WinogradForm kForm>
struct FewTiles {
  static constexpr int kCount = kProducts<kForm>;
  const WinogradSpec& s;
  Tiles tiles;
  std::int64_t in, out, count, stored_tiles;  // count: tiles of all images; stored: whole rows of products

  explicit FewTiles(const WinogradSpec& spec)
      : s(spec),
        tiles(spec, kSide),
        in(spec.x.stored_channels()),
        out(spec.y.stored_channels()),
        count(spec.x.n * tiles.per_image()),
        stored_tiles((count + kTileRows - 1) / kTileRows * kTileRows) {}

  // Of an image, so that the choice does not depend on the batch.
  bool is_few() const { return tiles.per_image() <= out; }

  // V in slices, [slice][product][tile][input channel of the slice], because products read it so.
  std::int64_t v_position() const { return position_bytes(stored_tiles * kSlice * 2) / 2; }
  std::int64_t slices() const { return (in + kSlice - 1) / kSlice; }
  std::int64_t tiles_at_once() const { return smaller(stored_tiles, kTilesAtOnce); }
  std::int64_t m_position() const { return position_bytes(tiles_at_once() * kPanel * 4) / 4; }
  static constexpr std::int64_t kUPosition = position_bytes(kSlice / 2 * kPanel * 4) / 4;

  std::size_t v_bytes() const { return std::size_t(slices() * kCount * v_position()) * sizeof(bf16); }
  std::size_t thread_bytes() const {
    return std::size_t(kCount * (m_position() + kUPosition)) * sizeof(float);
  }

  // V of a strip of channels, of all tiles.
  void fill_v(const bf16* x, std::int64_t c, bf16* v) const {
    bf16* slice = v + c / kSlice * kCount * v_position() + c % kSlice;
    for_runs(tiles, 0, count, [&](const Run& run, std::int64_t at) {
      transform_inputs<kForm>(s, x, run, c, v_position(), kSlice, slice + at * kSlice);
    });
  }

  template <class T>
  void fill_u(const T* weight, std::int64_t panel, std::int64_t first, std::int64_t depth, Pair* u) const {
    for (std::int64_t o = 0; o < smaller(out - panel, kPanel); o += kLanes)
      for (std::int64_t i = 0; i < depth; i += kLanes)
        transform_block<kForm>(s, weight, first + i, panel + o, kUPosition, kPanel, u + i / 2 * kPanel + o);
  }

  // m[product][tile][output of the panel] of so many tiles (+)= a slice of inputs.
  template <int kVecs>
  void multiply(const bf16* v, const Pair* u, std::int64_t depth, std::int64_t rows, bool accumulate,
                float* m) const {
    for (int p = 0; p < kCount; ++p) {
      const PairProduct product{reinterpret_cast<const Pair*>(v + p * v_position()),
                                kSlice / 2,
                                1,
                                u + p * kUPosition,
                                kPanel,
                                m + p * m_position(),
                                kPanel,
                                depth / 2,
                                accumulate};
      for (std::int64_t row = 0; row < rows; row += kTileRows) continue_tile<kTileRows, kVecs>(product, row);
    }
  }

  template <class T>
  void run(const bf16* x, const T* weight, const float* bias, bf16* y, std::byte* workspace) const {
    auto* v = reinterpret_cast<bf16*>(workspace);
    const std::int64_t at_once = tiles_at_once(), runs = (count + at_once - 1) / at_once,
                       panels = (out + kPanel - 1) / kPanel;
#pragma omp parallel num_threads(s.threads)
    {
      auto* m = reinterpret_cast<float*>(workspace + v_bytes() +
                                         std::size_t(omp_get_thread_num()) * thread_bytes());
      auto* u = reinterpret_cast<Pair*>(m + kCount * m_position());
#pragma omp for schedule(static)
      for (std::int64_t c = 0; c < in; c += kLanes) fill_v(x, c, v);
#pragma omp for schedule(static)
      for (std::int64_t job = 0; job < panels * runs; ++job) {
        const std::int64_t panel = job / runs * kPanel, first = job % runs * at_once,
                           known = smaller(count - first, at_once);
        const std::int64_t vecs = smaller(out - panel, kPanel) / kLanes;
        for (std::int64_t i = 0; i < in; i += kSlice) {
          const std::int64_t depth = smaller(in - i, kSlice);
          fill_u(weight, panel, i, depth, u);
          const bf16* slice = v + i / kSlice * kCount * v_position() + first * kSlice;
          if (vecs == 4) multiply<4>(slice, u, depth, known, i > 0, m);
          if (vecs == 3) multiply<3>(slice, u, depth, known, i > 0, m);
          if (vecs == 2) multiply<2>(slice, u, depth, known, i > 0, m);
          if (vecs == 1) multiply<1>(slice, u, depth, known, i > 0, m);
        }
        const PanelProducts products{m, m_position(), kPanel, panel};
        for_runs(tiles, first, known, [&](const Run& run, std::int64_t at) {
          store_outputs<kForm>(s, products, bias, run, at, false, y);
        });
      }
    }
  }
};

std::size_t packed_bytes(const WinogradSpec& spec) {
  return (winograd_bf16_packed_pairs(spec) * sizeof(Pair) + 63) / 64 * 64;
}

}  // namespace

std::size_t streamed_winograd_workspace(const WinogradSpec& spec) {
  return with_form(spec.form, [&]<WinogradForm kForm>() {
    const FewTiles<kForm> few(spec);
    if (few.is_few()) return few.v_bytes() + few.thread_bytes() * std::size_t(spec.threads);
    return packed_bytes(spec) + winograd_bf16_forward_workspace(spec);
  });
}

void streamed_winograd(const WinogradSpec& spec, const void* x, const StoredWeight& weight, const float* bias,
                       void* y, std::byte* workspace) {
  with_stored(weight, [&](const auto* numbers) {
    with_form(spec.form, [&]<WinogradForm kForm>() {
      const FewTiles<kForm> few(spec);
      if (few.is_few())
        return few.run(static_cast<const bf16*>(x), numbers, bias, static_cast<bf16*>(y), workspace);
      auto* packed = reinterpret_cast<Pair*>(workspace);
      pack_all<kForm>(spec, numbers, packed);
      winograd_bf16_forward(spec, x, packed, bias, y, false, workspace + packed_bytes(spec));
    });
  });
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
