// 3x3 convolutions with stride 1 and a border of 1, for bf16 feature maps on CPUs that multiply pairs of bf16
// (AVX512-BF16): Winograd's F(2x2, 3x3) (Lavin & Gray 2016, arXiv 1509.09308), 16 products where the direct form has 36.
//
// A tile is 2x2 pixels of the output and the 4x4 pixels of the input that they see. With d a tile of the input, g a
// kernel, m their product per position summed over input channels, and y a tile of the output,
//   V = B^T d B,   U = G g G^T,   m = U V,   y = A^T m A.
// V and U are rounded to bf16 once, everything else is f32.

#ifdef __AVX512BF16__

#include <immintrin.h>
#include <omp.h>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

// Two bf16 that one instruction multiplies and adds: the lower half is the earlier one.
using Pair = std::uint32_t;

constexpr int kPositions = 16;               // of a 4x4 tile
constexpr std::int64_t kForwardTiles = 48;   // in flight in a thread; a multiple of every kRows below
constexpr std::int64_t kAhead = 4;           // tiles between asking for pixels and using them
constexpr std::int64_t kPanel = 4 * kLanes;  // output channels whose products are in flight

// Distance in bytes from one position to the next: a cache line more than the matrix, because lines that are multiples of
// 4096 bytes apart share one set of the first cache, which holds 8, and a transform touches all 16 positions.
constexpr std::int64_t position_bytes(std::int64_t matrix_bytes) {
  return (matrix_bytes + 63) / 64 * 64 + 64;
}

std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

struct Tiles {
  std::int64_t rows, columns, count;  // of an image, of an image, of all images

  explicit Tiles(const WinogradSpec& s)
      : rows((s.height + 1) / 2), columns((s.width + 1) / 2), count(s.x.n * rows * columns) {}

  struct Place {
    std::int64_t n, y, x;  // top left pixel of the output
  };
  Place place(std::int64_t tile) const {
    const std::int64_t in_image = tile % (rows * columns);
    return {tile / (rows * columns), in_image / columns * 2, in_image % columns * 2};
  }
};

__m512 as_m512(Vec v) {
  return bits_of<__m512>(v);
}

// acc + a[0] b[0] + a[1] b[1], in each lane
Vec add_products(Vec acc, __m512i a, __m512i b) {
  return bits_of<Vec>(_mm512_dpbf16_ps(as_m512(acc), bits_of<__m512bh>(a), bits_of<__m512bh>(b)));
}

__m512i broadcast(const Pair* p) {
  return _mm512_set1_epi32(int(*p));
}

// The 4x4 pixels of the input that a tile sees: where each lies for channel 0, and all ones, or a zero vector and zero for
// pixels outside the image. So the strip of channels at `offset` is at from[k] + (offset & mask[k]), without a branch.
struct Patch {
  const bf16* from[kPositions];
  std::int64_t mask[kPositions];

  Patch() = default;
  Patch(const WinogradSpec& s, const bf16* x, const Tiles::Place& at) {
    alignas(64) static constexpr bf16 kZeros[kLanes] = {};
    const bf16* sample = x + at.n * s.x.sample_elements();
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j) {
        const std::int64_t row = at.y - 1 + i, column = at.x - 1 + j;
        const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
        from[4 * i + j] = inside ? sample + (row * s.width + column) * s.x.block : kZeros;
        mask[4 * i + j] = inside ? -1 : 0;
      }
  }
};

// The lines of the two lower rows of a patch: the upper ones were read for the tiles above.
void prefetch(const Patch& patch, std::int64_t offset) {
  for (int k = 9; k < kPositions; k += 4)
    _mm_prefetch(reinterpret_cast<const char*>(patch.from[k] + (offset & patch.mask[k])), _MM_HINT_T0);
}

// B^T d B of a patch.
void transform_input(const Patch& patch, std::int64_t offset, Vec* v) {
  Vec d[kPositions];
  for (int k = 0; k < kPositions; ++k) d[k] = load(patch.from[k] + (offset & patch.mask[k]));
  Vec t[kPositions];
  for (int j = 0; j < 4; ++j) {
    t[j] = d[j] - d[8 + j];
    t[4 + j] = d[4 + j] + d[8 + j];
    t[8 + j] = d[8 + j] - d[4 + j];
    t[12 + j] = d[4 + j] - d[12 + j];
  }
  for (int i = 0; i < 4; ++i) {
    const Vec* r = t + 4 * i;
    v[4 * i] = r[0] - r[2];
    v[4 * i + 1] = r[1] + r[2];
    v[4 * i + 2] = r[2] - r[1];
    v[4 * i + 3] = r[1] - r[3];
  }
}

// A^T m A
void transform_output(const Vec* m, Vec* y) {
  Vec t[8];
  for (int j = 0; j < 4; ++j) {
    t[j] = m[j] + m[4 + j] + m[8 + j];
    t[4 + j] = m[4 + j] - m[8 + j] - m[12 + j];
  }
  for (int i = 0; i < 2; ++i) {
    y[2 * i] = t[4 * i] + t[4 * i + 1] + t[4 * i + 2];
    y[2 * i + 1] = t[4 * i + 1] - t[4 * i + 2] - t[4 * i + 3];
  }
}

// G g G^T; g: 3x3 weights of 16 kernels.
void transform_kernels(const Vec* g, Vec* u) {
  Vec t[12];
  for (int j = 0; j < 3; ++j) {
    t[j] = g[j];
    t[3 + j] = splat(0.5f) * (g[j] + g[3 + j] + g[6 + j]);
    t[6 + j] = splat(0.5f) * (g[j] - g[3 + j] + g[6 + j]);
    t[9 + j] = g[6 + j];
  }
  for (int i = 0; i < 4; ++i) {
    const Vec* r = t + 3 * i;
    u[4 * i] = r[0];
    u[4 * i + 1] = splat(0.5f) * (r[0] + r[1] + r[2]);
    u[4 * i + 2] = splat(0.5f) * (r[0] - r[1] + r[2]);
    u[4 * i + 3] = r[2];
  }
}

// c[row][column] = sum over k of a[row][k] b[k][column], k counted in pairs. Each output is one running sum in order
// of k, whatever the tile of the loop.
struct Product {
  const Pair* a;
  std::int64_t a_row, a_k;  // distances
  const Pair* b;
  std::int64_t b_k;
  float* c;
  std::int64_t c_row;
  std::int64_t pairs;
};

template <int kRows, int kVecs>
void multiply_tile(const Product& p, std::int64_t row) {
  Vec acc[kRows][kVecs];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) acc[r][v] = Vec{};
  const Pair* a = p.a + row * p.a_row;
  const Pair* b = p.b;
  for (std::int64_t k = 0; k < p.pairs; ++k) {
    __m512i bk[kVecs];
    for (int v = 0; v < kVecs; ++v) bk[v] = _mm512_loadu_si512(b + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const __m512i ak = broadcast(a + r * p.a_row);
      for (int v = 0; v < kVecs; ++v) acc[r][v] = add_products(acc[r][v], bk[v], ak);
    }
    a += p.a_k;
    b += p.b_k;
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) store(p.c + (row + r) * p.c_row + v * kLanes, acc[r][v]);
}

// Whole tiles of rows: up to kRows - 1 more than asked for.
template <int kRows, int kVecs>
void multiply_rows(const Product& p, std::int64_t rows) {
  for (std::int64_t row = 0; row < rows; row += kRows) multiply_tile<kRows, kVecs>(p, row);
}

struct Forward {
  const WinogradSpec& s;
  Tiles tiles;
  std::int64_t in, out, pairs;  // stored channels; pairs of input channels

  explicit Forward(const WinogradSpec& spec)
      : s(spec), tiles(spec), in(spec.x.stored_channels()), out(spec.y.stored_channels()), pairs(in / 2) {}

  // Elements from one position to the next.
  std::int64_t v_position() const { return position_bytes(kForwardTiles * in * 2) / 2; }
  static constexpr std::int64_t kMPosition = position_bytes(kForwardTiles * kPanel * 4) / 4;

  std::int64_t v_bytes() const { return kPositions * v_position() * std::int64_t(sizeof(bf16)); }
  std::int64_t m_bytes() const { return kPositions * kMPosition * std::int64_t(sizeof(float)); }

  // V: [position][tile][input channel].
  void fill_v(const bf16* x, std::int64_t first, std::int64_t count, bf16* v) const {
    Patch patches[kForwardTiles + kAhead];
    for (std::int64_t t = 0; t < count + kAhead; ++t)
      patches[t] = Patch(s, x, tiles.place(smaller(first + t, tiles.count - 1)));
    for (std::int64_t t = 0; t < count; ++t)
      for (std::int64_t c = 0; c < in; c += kLanes) {
        const std::int64_t offset = channel_offset(s.x, c);
        prefetch(patches[t + kAhead], offset);
        Vec values[kPositions];
        transform_input(patches[t], offset, values);
        for (int p = 0; p < kPositions; ++p) store(v + p * v_position() + t * in + c, values[p]);
      }
  }

  // m: [position][tile][channel of the panel]
  void fill_m(const bf16* v, const Pair* packed, std::int64_t panel, std::int64_t count, float* m) const {
    const std::int64_t vecs = smaller(out - panel, kPanel) / kLanes;
    for (int p = 0; p < kPositions; ++p) {
      const Product product{reinterpret_cast<const Pair*>(v + p * v_position()),
                            pairs,
                            1,
                            packed + p * pairs * out + panel * pairs,
                            vecs * kLanes,
                            m + p * kMPosition,
                            kPanel,
                            pairs};
      if (vecs == 4) multiply_rows<6, 4>(product, count);
      if (vecs == 3) multiply_rows<8, 3>(product, count);
      if (vecs == 2) multiply_rows<12, 2>(product, count);
      if (vecs == 1) multiply_rows<12, 1>(product, count);
    }
  }

  void store_y(const float* m, const float* bias, std::int64_t panel, std::int64_t first, std::int64_t count,
               bool accumulate, bf16* y) const {
    for (std::int64_t t = 0; t < count; ++t) {
      const Tiles::Place at = tiles.place(first + t);
      for (std::int64_t c = panel; c < smaller(out, panel + kPanel); c += kLanes) {
        Vec values[kPositions], pixels[4];
        for (int p = 0; p < kPositions; ++p) values[p] = load(m + p * kMPosition + t * kPanel + c - panel);
        transform_output(values, pixels);
        bf16* strip = y + at.n * s.y.sample_elements() + channel_offset(s.y, c);
        const Vec offset = bias ? load(bias + c) : Vec{};
        for (int i = 0; i < 2; ++i)
          for (int j = 0; j < 2; ++j) {
            if (at.y + i >= s.height || at.x + j >= s.width) continue;
            bf16* to = strip + ((at.y + i) * s.width + at.x + j) * s.y.block;
            const Vec value = pixels[2 * i + j] + offset;
            store(to, accumulate ? load(to) + value : value);
          }
      }
    }
  }
};

}  // namespace

std::size_t winograd_packed_pairs(const WinogradSpec& spec) {
  return std::size_t(kPositions * spec.x.stored_channels() / 2 * spec.y.stored_channels());
}

// packed: [position][panel of output channels][pair of input channels][output channel of the panel]. Mirrored, the weight
// belongs to the convolution from y to x.
void winograd_pack(const WinogradSpec& spec, const float* weight, bool mirrored, std::uint32_t* packed) {
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
      for (int p = 0; p < kPositions; ++p)
        _mm256_i32scatter_epi32(packed + p * pairs * out + panel * pairs + i / 2 * width + o - panel,
                                pair_offsets, bits_of<__m256i>(_mm512_cvtneps_pbh(as_m512(u[p]))), 4);
    }
  }
}

std::size_t winograd_forward_workspace(const WinogradSpec& spec) {
  const Forward f(spec);
  return std::size_t((f.v_bytes() + f.m_bytes()) * spec.threads);
}

void winograd_forward(const WinogradSpec& spec, const void* x, const std::uint32_t* packed, const float* bias,
                      void* y, bool accumulate, std::byte* workspace) {
  const Forward f(spec);
  const std::int64_t chunks = (f.tiles.count + kForwardTiles - 1) / kForwardTiles;
#pragma omp parallel num_threads(spec.threads)
  {
    std::byte* own = workspace + omp_get_thread_num() * (f.v_bytes() + f.m_bytes());
    auto* v = reinterpret_cast<bf16*>(own);
    auto* m = reinterpret_cast<float*>(own + f.v_bytes());
#pragma omp for schedule(static)
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int64_t first = chunk * kForwardTiles, count = smaller(f.tiles.count - first, kForwardTiles);
      f.fill_v(static_cast<const bf16*>(x), first, count, v);
      for (std::int64_t panel = 0; panel < f.out; panel += kPanel) {
        f.fill_m(v, packed, panel, count, m);
        f.store_y(m, bias, panel, first, count, accumulate, static_cast<bf16*>(y));
      }
    }
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
