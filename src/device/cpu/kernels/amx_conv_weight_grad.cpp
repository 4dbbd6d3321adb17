// The gradient of a convolution's weights as products of tiles (AMX): dw[tap] = x[shifted by tap]^T dy, summed over pixels in the
// numbering of amx_conv.h. x lies transposed, a channel a row, so a tap shifts where rows begin; dy lies as pairs of neighboring
// pixels, with zeros where a number is no output.

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

struct Layout {
  Planes x, y;
  std::int64_t kernel, positions;    // of outputs in the numbering
  std::int64_t sample, images, row;  // pixels of a sample, samples at a time; values of a row of x
  std::int64_t x_blocks, y_blocks;   // of 16 channels
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
    images = ceil_div(kLeastDepth, positions);
    if (images > s.x.n) images = s.x.n;
    // Taps begin anywhere in a row; an odd number of lines keeps rows out of each other's sets of the cache.
    row = (ceil_div(images * sample + x.pitch * s.kernel_height + kDepth, kDepth) | 1) * kDepth;
    x_blocks = s.x.stored_channels() / kRows;
    y_blocks = s.y.stored_channels() / kRows;
    staged = (x.all_pixels() > y.pixels() ? x.all_pixels() : y.pixels()) * kRows + sample * kRows;
    x_values = x.step * x.step * x_blocks * kRows * row;
    y_values = y_blocks * images * sample * kRows;
    sum_values = kernel * x_blocks * y_blocks * kRows * kRows;
  }
  std::int64_t thread_bytes() const {
    return (2 * staged + x_values + y_values) * std::int64_t(sizeof(bf16)) +
           (sum_values + (x_blocks + y_blocks) * kRows) * std::int64_t(sizeof(float));
  }
};

struct Scratch {
  bf16 *x_stage, *y_stage;   // one block of 16 channels of one image in planes
  bf16* x;                   // [plane][channel][row]
  bf16* y;                   // [block][image][pair of pixels][16 channels][2]
  float* sums;               // [tap][x block][y block][16][16]
  float *x_total, *y_total;  // sum of each channel

  Scratch(const Layout& l, std::byte* base) {
    x_stage = reinterpret_cast<bf16*>(base);
    y_stage = x_stage + l.staged;
    x = y_stage + l.staged;
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

// A block of x of the image that is number i of those in flight.
void take_x(const Layout& l, const Scratch& w, const bf16* block, std::int64_t c, std::int64_t i) {
  deal_out(l.x, block, w.x_stage, kRows);
  for (int plane = 0; plane < l.x.step * l.x.step; ++plane) {
    const bf16* from = w.x_stage + plane * l.x.pixels() * kRows;
    bf16* to = w.x + (plane * l.x_blocks + c) * kRows * l.row + i * l.sample;
    for (std::int64_t p = 0; p < l.sample; p += kDepth) {
      alignas(64) std::uint32_t pairs[16 * 16];
      for (int r = 0; r < 16; ++r) {
        const bf16* rows = from + (p + 2 * r) * kRows;
        _mm512_store_si512(pairs + r * 16, zip_rows(rows, rows + kRows));
      }
      transpose_tile(pairs, 16, to + p, l.row / 2);
    }
  }
}

void take_y(const Layout& l, const Scratch& w, const bf16* block, std::int64_t c, std::int64_t i) {
  deal_out(l.y, block, w.y_stage, kRows);
  bf16* to = w.y + (c * l.images + i) * l.sample * kRows;
  for (std::int64_t p = 0; p < l.sample; p += 2) {
    const bf16* rows = w.y_stage + p * kRows;
    _mm512_storeu_si512(to + p * kRows, zip_rows(rows, rows + kRows));
  }
}

// kTall x 16 channels of x, kWide x 16 of dy, one tap, all images in flight.
template <int kTall, int kWide>
void multiply(const Layout& l, std::int64_t images, const bf16* x, const bf16* y, float* sums) {
  const std::int64_t tile_row = l.y_blocks * kRows * kRows, x_block = kRows * l.row,
                     y_block = l.images * l.sample * kRows;
  unroll<kTall>([&](auto i) {
    unroll<kWide>([&](auto j) { load_tile<i * kWide + j>(sums + i * tile_row + j * kRows * kRows, 64); });
  });
  for (std::int64_t n = 0; n < images; ++n)
    for (std::int64_t p = 0; p < l.positions; p += kDepth) {
      const bf16 *rows = x + n * l.sample + p, *pairs = y + (n * l.sample + p) * kRows;
      unroll<kWide>([&](auto j) { load_tile<6 + j>(pairs + j * y_block, 64); });
      unroll<kTall>([&](auto i) {
        load_tile<4 + i>(rows + i * x_block, l.row * 2);
        unroll<kWide>([&](auto j) { multiply_tiles<i * kWide + j, 4 + i, 6 + j>(); });
      });
    }
  unroll<kTall>([&](auto i) {
    unroll<kWide>([&](auto j) { store_tile<i * kWide + j>(sums + i * tile_row + j * kRows * kRows, 64); });
  });
}

template <int kTall, int kWide>
void all_taps(const TileConvSpec& s, const Layout& l, const Scratch& w, std::int64_t images,
              std::int64_t x_block, std::int64_t y_block) {
  const bf16* y = w.y + y_block * l.images * l.sample * kRows;
  float* sums = w.sums + (x_block * l.y_blocks + y_block) * kRows * kRows;
  for (int ky = 0; ky < s.kernel_height; ++ky)
    for (int kx = 0; kx < s.kernel_width; ++kx, sums += l.x_blocks * l.y_blocks * kRows * kRows) {
      const std::int64_t plane = ky % s.stride * s.stride + kx % s.stride;
      const bf16* x =
          w.x + (plane * l.x_blocks + x_block) * kRows * l.row + ky / s.stride * l.x.pitch + kx / s.stride;
      multiply<kTall, kWide>(l, images, x, y, sums);
    }
}

void add_products(const TileConvSpec& s, const Layout& l, const Scratch& w, std::int64_t images) {
  for (std::int64_t c = 0; c < l.y_blocks; c += 2)
    for (std::int64_t k = 0; k < l.x_blocks; k += 2) {
      const bool tall = k + 1 < l.x_blocks, wide = c + 1 < l.y_blocks;
      if (tall)
        wide ? all_taps<2, 2>(s, l, w, images, k, c) : all_taps<2, 1>(s, l, w, images, k, c);
      else
        wide ? all_taps<1, 2>(s, l, w, images, k, c) : all_taps<1, 1>(s, l, w, images, k, c);
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
      add_products(spec, l, w, images);
    }
    // From the threads' sums to [y channel][x channel][tap].
    const int threads = omp_get_num_threads();
    const auto of_thread = [&](int t) { return Scratch(l, workspace + t * l.thread_bytes()); };
#pragma omp for collapse(2) schedule(static)
    for (std::int64_t c = 0; c < l.y_blocks; ++c)
      for (std::int64_t k = 0; k < l.x_blocks; ++k)
        for (int t = 0; t < threads; ++t) {
          const float* tile = of_thread(t).sums + (k * l.y_blocks + c) * kRows * kRows;
          const std::int64_t rows = spec.x.channels - k * kRows < kRows ? spec.x.channels - k * kRows : kRows,
                             columns =
                                 spec.y.channels - c * kRows < kRows ? spec.y.channels - c * kRows : kRows;
          for (std::int64_t n = 0; n < columns; ++n) {
            float* to = dweight + ((c * kRows + n) * spec.x.channels + k * kRows) * l.kernel;
            for (std::int64_t r = 0; r < rows; ++r)
              for (std::int64_t tap = 0; tap < l.kernel; ++tap)
                *to++ += tile[tap * l.x_blocks * l.y_blocks * kRows * kRows + r * kRows + n];
          }
        }
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
