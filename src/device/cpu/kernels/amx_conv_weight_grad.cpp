// The gradient of a convolution's weights as products of tiles (AMX): dw[tap] = dy^T x[shifted by tap],
// summed over pixels in the numbering of amx_conv.h, with zeros in dy where a number is no output. dy lies as
// transposed tiles. x lies as pairs of neighboring pixels, twice: pairs that begin at even and at odd pixels,
// so that every shift begins with a pair.

#ifdef __AMX_BF16__

#include <omp.h>

#include <cstring>

#include "device/cpu/kernels/amx_conv.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/transpose.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace amx;

constexpr std::int64_t kLeastDepth =
    768;  // pixels per pass over the sums, or they would take more time than the products
constexpr std::int64_t kTileSums = kRows * kRows;

struct Layout {
  Planes x, y;
  std::int64_t kernel, positions;   // of outputs in the numbering
  std::int64_t sample, images;      // pixels of a sample, samples at a time
  std::int64_t x_blocks, y_blocks;  // of 16 channels
  std::int64_t x_block, y_block;    // values of one block of dy; of x in one plane and parity
  std::int64_t staged, x_values, y_values, sum_values;

  explicit Layout(const TileConvSpec& s) {
    x = {s.x_height,
         s.x_width,
         s.y_height + (s.kernel_height - 1) / s.stride,
         s.y_width + (s.kernel_width - 1) / s.stride,
         s.pad_top,
         s.pad_left,
         s.stride};
    kernel = s.kernel_height * s.kernel_width;
    positions = s.y_height * x.pitch;
    sample = ceil_div(x.pixels(), kDepth) * kDepth;
    y = {s.y_height, s.y_width, ceil_div(sample, x.pitch), x.pitch, 0, 0, 1};
    // As many turns for every thread.
    const std::int64_t turns = ceil_div(s.x.n, s.threads * ceil_div(kLeastDepth, positions));
    images = ceil_div(s.x.n, s.threads * turns);
    x_blocks = s.x.stored_channels() / kRows;
    y_blocks = s.y.stored_channels() / kRows;
    // A tap reads beyond its sample, where dy is zero.
    x_block = (images * sample + ceil_div(x.pitch * s.kernel_height, kDepth) * kDepth + kDepth) * kRows;
    staged = (x.all_pixels() > y.pixels() ? x.all_pixels() : y.pixels()) * kRows + (sample + 2) * kRows;
    x_values = 2 * x.step * x.step * x_blocks * x_block;
    y_block = images * sample * kRows;
    y_values = y_blocks * y_block;
    sum_values = kernel * x_blocks * y_blocks * kTileSums;
  }
  std::int64_t planes() const { return x.step * x.step; }
  std::int64_t thread_bytes() const {
    return (2 * ceil_div(staged, kDepth) * kDepth + x_values + y_values) * std::int64_t(sizeof(bf16)) +
           (sum_values + (x_blocks + y_blocks) * kRows) * std::int64_t(sizeof(float));
  }
};

struct Scratch {
  bf16 *x_stage, *y_stage;   // one block of 16 channels of one image in planes
  bf16* x;                   // [plane][parity][block][pair of pixels][16 channels][2]
  bf16* y;                   // [block][32 pixels][16 channels][32 pixels]
  float* sums;               // [x block][tap][y block][16 channels of y][16 of x]
  float *x_total, *y_total;  // sum of each channel

  Scratch(const Layout& l, std::byte* base) {
    const std::int64_t staged = ceil_div(l.staged, kDepth) * kDepth;
    x_stage = reinterpret_cast<bf16*>(base);
    y_stage = x_stage + staged;
    x = y_stage + staged;
    y = x + l.x_values;
    sums = reinterpret_cast<float*>(y + l.y_values);
    x_total = sums + l.sum_values;
    y_total = x_total + l.x_blocks * kRows;
  }
};

void add_up(const bf16* block, std::int64_t pixels, float* total) {
  Vec a = load(total), b{};
  std::int64_t p = 0;
  for (; p + 2 <= pixels; p += 2) {
    a += load(block + p * kRows);
    b += load(block + (p + 1) * kRows);
  }
  if (p < pixels) a += load(block + p * kRows);
  store(total, a + b);
}

// Block c of x of the image that is number i of those in flight.
void take_x(const Layout& l, const Scratch& w, const bf16* block, std::int64_t c, std::int64_t i) {
  deal_out(l.x, block, w.x_stage, kRows);
  for (std::int64_t plane = 0; plane < l.planes(); ++plane)
    for (std::int64_t parity = 0; parity < 2; ++parity) {
      const bf16* rows = w.x_stage + (plane * l.x.pixels() + parity) * kRows;
      bf16* to = w.x + ((plane * 2 + parity) * l.x_blocks + c) * l.x_block + i * l.sample * kRows;
      for (std::int64_t p = 0; p < l.sample; p += 2, rows += 2 * kRows, to += 2 * kRows)
        _mm512_storeu_si512(to, zip_rows(rows, rows + kRows));
    }
}

void take_y(const Layout& l, const Scratch& w, const bf16* block, std::int64_t c, std::int64_t i) {
  deal_out(l.y, block, w.y_stage, kRows);
  for (std::int64_t p = 0; p < l.sample; p += kDepth) {
    alignas(64) std::uint32_t pairs[16 * 16];
    for (int r = 0; r < 16; ++r) {
      const bf16* rows = w.y_stage + (p + 2 * r) * kRows;
      _mm512_store_si512(pairs + r * 16, zip_rows(rows, rows + kRows));
    }
    transpose_tile(pairs, 16, w.y + c * l.y_block + (i * l.sample + p) * kRows, 16);
  }
}

// What is multiplied with rows of dy: 16 channels of x, shifted by a tap.
struct Column {
  const bf16* pairs;
  float* sums;
};

Column column_of(const TileConvSpec& s, const Layout& l, const Scratch& w, std::int64_t number) {
  const std::int64_t block = number / l.kernel, tap = number % l.kernel;
  const std::int64_t ky = tap / s.kernel_width, kx = tap % s.kernel_width;
  const std::int64_t plane = ky % s.stride * s.stride + kx % s.stride;
  const std::int64_t shift = ky / s.stride * l.x.pitch + kx / s.stride;
  return {w.x + ((plane * 2 + shift % 2) * l.x_blocks + block) * l.x_block + shift / 2 * 2 * kRows,
          w.sums + number * l.y_blocks * kTileSums};
}

// kTall x 16 channels of dy from block y_block on, kWide columns, all images in flight. Three columns are
// mostly neighboring taps, whose pairs are already in the first cache, and so is what is loaded of dy for the
// second and third.
template <int kTall, int kWide>
void multiply(const Layout& l, std::int64_t images, const bf16* dy, std::int64_t y_block,
              const Column* columns) {
  const bf16* pairs[kWide];
  float* sums[kWide];
  unroll<kWide>([&](auto j) {
    pairs[j] = columns[j].pairs;
    sums[j] = columns[j].sums + y_block * kTileSums;
    unroll<kTall>([&](auto i) { load_tile<j * kTall + i>(sums[j] + i * kTileSums, 64); });
  });
  const std::int64_t block_values = l.y_block, sample = l.sample, positions = l.positions;
  dy += y_block * block_values;
  for (std::int64_t n = 0; n < images; ++n)
    for (std::int64_t p = 0; p < positions; p += kDepth) {
      const std::int64_t at = (n * sample + p) * kRows;
      unroll<kWide>([&](auto j) {
        load_tile<7>(pairs[j] + at, 64);
        unroll<kTall>([&](auto i) {
          load_tile<6>(dy + i * block_values + at, 64);
          multiply_tiles<j * kTall + i, 6, 7>();
        });
      });
    }
  unroll<kWide>([&](auto j) {
    unroll<kTall>([&](auto i) { store_tile<j * kTall + i>(sums[j] + i * kTileSums, 64); });
  });
}

template <int kTall>
void all_columns(const TileConvSpec& s, const Layout& l, const Scratch& w, std::int64_t images,
                 std::int64_t y_block) {
  const std::int64_t count = l.x_blocks * l.kernel;
  for (std::int64_t first = 0; first < count; first += 3) {
    Column columns[3];
    const std::int64_t wide = count - first < 3 ? count - first : 3;
    for (std::int64_t j = 0; j < wide; ++j) columns[j] = column_of(s, l, w, first + j);
    if (wide == 3) multiply<kTall, 3>(l, images, w.y, y_block, columns);
    if (wide == 2) multiply<kTall, 2>(l, images, w.y, y_block, columns);
    if (wide == 1) multiply<kTall, 1>(l, images, w.y, y_block, columns);
  }
}

// The sums of one thread for one block of channels of each side, to dweight [y channel][x channel][tap].
void add_block(const TileConvSpec& s, const Layout& l, const float* sums, std::int64_t y_block,
               std::int64_t x_block, float* dweight) {
  const auto channels = [](std::int64_t all, std::int64_t block) {
    return all - block * kRows < kRows ? all - block * kRows : kRows;
  };
  const std::int64_t rows = channels(s.y.channels, y_block), columns = channels(s.x.channels, x_block);
  const std::int64_t kernel = l.kernel, tap_values = l.y_blocks * kTileSums;
  const float* tile = sums + (x_block * kernel * l.y_blocks + y_block) * kTileSums;
  for (std::int64_t r = 0; r < rows; ++r) {
    float* to = dweight + ((y_block * kRows + r) * s.x.channels + x_block * kRows) * kernel;
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t tap = 0; tap < kernel; ++tap) *to++ += tile[tap * tap_values + r * kRows + c];
  }
}

}  // namespace

std::size_t tile_conv_weight_grad_workspace(const TileConvSpec& spec) {
  return std::size_t(spec.threads * Layout(spec).thread_bytes());
}

void tile_conv_weight_grad(const TileConvSpec& spec, const void* x, const void* dy, float* dweight,
                           float* x_sums, float* dy_sums, std::byte* workspace) {
  const Layout l(spec);
  const std::int64_t chunks = ceil_div(spec.x.n, l.images);
#pragma omp parallel num_threads(spec.threads)
  {
    const TileRegisters registers;
    const Scratch w(l, workspace + omp_get_thread_num() * l.thread_bytes());
    std::memset(static_cast<void*>(w.x_stage), 0, std::size_t(l.thread_bytes()));
#pragma omp for schedule(static)
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int64_t first = chunk * l.images, left = spec.x.n - first,
                         images = left < l.images ? left : l.images;
      for (std::int64_t i = 0; i < images; ++i) {
        const bf16* x_sample = static_cast<const bf16*>(x) + (first + i) * spec.x.sample_elements();
        const bf16* y_sample = static_cast<const bf16*>(dy) + (first + i) * spec.y.sample_elements();
        for (std::int64_t c = 0; c < l.x_blocks; ++c) {
          const bf16* block = x_sample + c * spec.x.pixels * kRows;
          take_x(l, w, block, c, i);
          if (x_sums) add_up(block, spec.x.pixels, w.x_total + c * kRows);
        }
        for (std::int64_t c = 0; c < l.y_blocks; ++c) {
          const bf16* block = y_sample + c * spec.y.pixels * kRows;
          take_y(l, w, block, c, i);
          if (dy_sums) add_up(block, spec.y.pixels, w.y_total + c * kRows);
        }
      }
      std::int64_t c = 0;
      for (; c + 2 <= l.y_blocks; c += 2) all_columns<2>(spec, l, w, images, c);
      if (c < l.y_blocks) all_columns<1>(spec, l, w, images, c);
    }
    const int threads = omp_get_num_threads();
    const auto of_thread = [&](int t) { return Scratch(l, workspace + t * l.thread_bytes()); };
#pragma omp for collapse(2) schedule(static)
    for (std::int64_t c = 0; c < l.y_blocks; ++c)
      for (std::int64_t k = 0; k < l.x_blocks; ++k)
        for (int t = 0; t < threads; ++t) add_block(spec, l, of_thread(t).sums, c, k, dweight);
#pragma omp single
    for (int t = 0; t < threads; ++t) {
      const Scratch other = of_thread(t);
      if (x_sums)
        for (std::int64_t c = 0; c < spec.x.channels; ++c) x_sums[c] += other.x_total[c];
      if (dy_sums)
        for (std::int64_t c = 0; c < spec.y.channels; ++c) dy_sums[c] += other.y_total[c];
    }
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
