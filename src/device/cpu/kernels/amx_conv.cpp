// Convolutions of bf16 feature maps and their transposes as products of tiles (AMX).

#ifdef __AMX_BF16__

#include "device/cpu/kernels/amx_conv.h"

#include <omp.h>

#include <cstring>

#include "device/cpu/kernels/kernels.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace amx;

// An element of the kernel, and how many rows its input is after its output.
struct Tap {
  std::int64_t weight, distance;
};

// Outputs (step j + at, step i + at) for j in [first_row, end_row), i in [first_column, end_column), all from
// the same taps.
struct Phase {
  std::int64_t first_row, end_row, first_column, end_column, at_y, at_x;
  int first_tap, taps;
};

constexpr int kMostTaps = 7 * 7;

struct Layout {
  BlockedShape from, to;
  std::int64_t to_width;
  Planes planes;
  int step;  // of outputs
  Phase phases[4];
  int phase_count = 0, taps = 0;
  Tap tap[kMostTaps];

  std::int64_t depth_blocks() const { return ceil_div(from.channels, kDepth); }
  std::int64_t columns() const { return to.stored_channels() / kRows; }  // blocks of 16 output channels
  std::int64_t rows_of(const Phase& p) const { return (p.end_row - p.first_row) * planes.pitch; }
  std::int64_t plane_values() const {  // whole tiles of rows are read
    return (depth_blocks() * planes.all_pixels() + 4 * kRows) * kDepth;
  }
  std::int64_t map_entries() const {
    std::int64_t count = 0;
    for (int p = 0; p < phase_count; ++p) count += rows_of(phases[p]);
    return count;
  }
};

Layout forward_layout(const TileConvSpec& s) {
  Layout l{.from = s.x, .to = s.y, .to_width = s.y_width, .planes = {}, .step = 1, .phases = {}, .tap = {}};
  l.planes = {s.x_height,
              s.x_width,
              s.y_height + (s.kernel_height - 1) / s.stride,
              s.y_width + (s.kernel_width - 1) / s.stride,
              s.pad_top,
              s.pad_left,
              s.stride};
  for (int ky = 0; ky < s.kernel_height; ++ky)
    for (int kx = 0; kx < s.kernel_width; ++kx)
      l.tap[l.taps++] = {ky * s.kernel_width + kx,
                         (ky % s.stride * s.stride + kx % s.stride) * l.planes.pixels() +
                             ky / s.stride * l.planes.pitch + kx / s.stride};
  l.phases[l.phase_count++] = {0, s.y_height, 0, s.y_width, 0, 0, 0, l.taps};
  return l;
}

// dx(stride j + phase - pad) = sum over t of dy(j - t) w(phase + stride t), in both directions.
Layout transposed_layout(const TileConvSpec& s) {
  Layout l{
      .from = s.y, .to = s.x, .to_width = s.x_width, .planes = {}, .step = s.stride, .phases = {}, .tap = {}};
  const std::int64_t reach_y = (s.kernel_height - 1) / s.stride, reach_x = (s.kernel_width - 1) / s.stride;
  const std::int64_t last_row = (s.x_height - 1 + s.pad_top) / s.stride,
                     last_column = (s.x_width - 1 + s.pad_left) / s.stride;
  const auto larger = [](std::int64_t a, std::int64_t b) { return a > b ? a : b; };
  l.planes = {s.y_height,
              s.y_width,
              larger(s.y_height, last_row + 1) + reach_y,
              larger(s.y_width, last_column + 1) + reach_x,
              reach_y,
              reach_x,
              1};
  for (int py = 0; py < s.stride; ++py)
    for (int px = 0; px < s.stride; ++px) {
      Phase p{.first_row = ceil_div(s.pad_top - py, s.stride),
              .end_row = (s.x_height - 1 + s.pad_top - py + s.stride) / s.stride,
              .first_column = ceil_div(s.pad_left - px, s.stride),
              .end_column = (s.x_width - 1 + s.pad_left - px + s.stride) / s.stride,
              .at_y = py - s.pad_top,
              .at_x = px - s.pad_left,
              .first_tap = l.taps,
              .taps = 0};
      for (int ky = py; ky < s.kernel_height; ky += s.stride)
        for (int kx = px; kx < s.kernel_width; kx += s.stride) {
          l.tap[l.taps++] = {ky * s.kernel_width + kx,
                             (reach_y - ky / s.stride) * l.planes.pitch + reach_x - kx / s.stride};
          ++p.taps;
        }
      if (p.end_row > p.first_row && p.end_column > p.first_column) l.phases[l.phase_count++] = p;
    }
  return l;
}

Layout layout_of(const TileConvSpec& spec, bool transposed) {
  return transposed ? transposed_layout(spec) : forward_layout(spec);
}

// For each row of each phase the output pixel that it is, or -1.
void fill_map(const Layout& l, std::int32_t* map) {
  for (int k = 0; k < l.phase_count; ++k) {
    const Phase& p = l.phases[k];
    for (std::int64_t y = p.first_row; y < p.end_row; ++y)
      for (std::int64_t x = 0; x < l.planes.pitch; ++x) {
        const bool inside = x >= p.first_column && x < p.end_column;
        *map++ = inside ? std::int32_t((y * l.step + p.at_y) * l.to_width + x * l.step + p.at_x) : -1;
      }
  }
}

// What a thread works with.
struct Scratch {
  bf16* planes;  // [depth block][plane][pixel][32 channels]
  float* sums;   // [4][16][16]
};

void gather(const Layout& l, const bf16* sample, bf16* planes) {
  for (std::int64_t c = 0; c < l.from.stored_channels() / kRows; ++c)
    deal_out(l.planes, sample + c * l.from.pixels * kRows,
             planes + c / 2 * l.planes.all_pixels() * kDepth + c % 2 * kRows, kDepth);
}

// Sums of kTall x 16 rows and kWide x 16 channels, in scratch: tile (i, j) is number i kWide + j.
template <int kTall, int kWide>
void multiply(const Layout& l, const Phase& p, const bf16* first_row, const bf16* weights, float* sums) {
  static_assert(kTall * kWide <= 4 && kWide <= 2);
  constexpr int kAtOnce = kTall == 1 ? 1 : 2;  // tiles of rows that are loaded
  unroll<kTall * kWide>([](auto t) { clear_tile<t>(); });
  const std::int64_t depth_blocks = l.depth_blocks(), depth_values = l.planes.all_pixels() * kDepth;
  const std::int64_t column_values = l.taps * depth_blocks * kTileValues;
  weights += p.first_tap * depth_blocks * kTileValues;
  for (int t = 0; t < p.taps; ++t) {
    const bf16* rows = first_row + l.tap[p.first_tap + t].distance * kDepth;
    for (std::int64_t d = 0; d < depth_blocks; ++d, rows += depth_values, weights += kTileValues) {
      // Loads before products: where another thread runs on the same core, loads between products hold them
      // up.
      unroll<kWide>([&](auto j) { load_tile<6 + j>(weights + j * column_values, 64); });
      unroll<kAtOnce>([&](auto i) { load_tile<4 + i>(rows + i * kRows * kDepth, 64); });
      unroll<kTall>([&](auto i) {
        if constexpr (i >= 2) load_tile<4 + i % 2>(rows + i * kRows * kDepth, 64);
        unroll<kWide>([&](auto j) { multiply_tiles<i * kWide + j, 4 + i % 2, 6 + j>(); });
      });
    }
  }
  unroll<kTall * kWide>([&](auto t) { store_tile<t>(sums + t * kRows * kRows, 64); });
}

// What multiply() left becomes outputs; `rows` of its rows are wanted.
template <int kTall, int kWide>
void keep(const Layout& l, const float* sums, const std::int32_t* map, std::int64_t rows, const float* bias,
          bool accumulate, bf16* to) {
  for (int j = 0; j < kWide; ++j, to += l.to.pixels * kRows) {
    const Vec b = bias ? load(bias + j * kRows) : Vec{};
    for (std::int64_t r = 0; r < rows; ++r) {
      if (map[r] < 0) continue;
      bf16* out = to + map[r] * kRows;
      Vec v = load(sums + ((r / kRows * kWide + j) * kRows + r % kRows) * kRows) + b;
      if (accumulate) v += load(out);
      store(out, v);
    }
  }
}

// kWide blocks of output channels, all rows of a phase.
template <int kWide>
void convolve(const Layout& l, const Phase& p, const Scratch& w, const bf16* weights, const std::int32_t* map,
              const float* bias, bool accumulate, bf16* to) {
  constexpr int kTall = 4 / kWide;
  const bf16* planes = w.planes + p.first_row * l.planes.pitch * kDepth;
  const std::int64_t rows = l.rows_of(p);
  std::int64_t r = 0;
  for (; r + (kTall - 1) * kRows < rows; r += kTall * kRows) {
    const std::int64_t count = rows - r < kTall * kRows ? rows - r : kTall * kRows;
    multiply<kTall, kWide>(l, p, planes + r * kDepth, weights, w.sums);
    keep<kTall, kWide>(l, w.sums, map + r, count, bias, accumulate, to);
  }
  for (; r < rows; r += kRows) {
    const std::int64_t count = rows - r < kRows ? rows - r : kRows;
    multiply<1, kWide>(l, p, planes + r * kDepth, weights, w.sums);
    keep<1, kWide>(l, w.sums, map + r, count, bias, accumulate, to);
  }
}

std::int64_t map_bytes(const Layout& l) {
  return ceil_div(l.map_entries() * std::int64_t(sizeof(std::int32_t)), 64) * 64;
}
std::int64_t thread_bytes(const Layout& l) {
  return l.plane_values() * std::int64_t(sizeof(bf16)) + 4 * kRows * kRows * std::int64_t(sizeof(float));
}

}  // namespace

std::size_t tile_conv_packed_values(const TileConvSpec& spec, bool transposed) {
  const Layout l = layout_of(spec, transposed);
  return std::size_t(l.columns() * l.taps * l.depth_blocks() * kTileValues);
}

// [output block][tap][depth block][pair of input channels][output channel][2]
void tile_conv_pack(const TileConvSpec& spec, bool transposed, const float* weight, std::uint16_t* packed) {
  const Layout l = layout_of(spec, transposed);
  const std::int64_t kernel = spec.kernel_height * spec.kernel_width, blocks = l.depth_blocks();
  const std::int64_t from_stride = transposed ? spec.x.channels * kernel : kernel,
                     to_stride = transposed ? kernel : spec.x.channels * kernel;
  auto* const values = reinterpret_cast<bf16*>(packed);
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t column = 0; column < l.columns(); ++column)
    for (std::int64_t d = 0; d < blocks; ++d) {
      bf16* const first_tile = values + (column * l.taps * blocks + d) * kTileValues;
      const auto place = [&](std::int64_t k,
                             std::int64_t n) {  // all taps, which lie side by side in `weight`
        const std::int64_t from = d * kDepth + k, to = column * kRows + n;
        const bool exists = from < l.from.channels && to < l.to.channels;
        const float* w = weight + from * from_stride + to * to_stride;
        bf16* at = first_tile + (k / 2 * kRows + n) * 2 + k % 2;
        for (int t = 0; t < l.taps; ++t, at += blocks * kTileValues)
          store_one(at, exists ? w[l.tap[t].weight] : 0.f);
      };
      if (transposed) {
        for (std::int64_t k = 0; k < kDepth; ++k)
          for (std::int64_t n = 0; n < kRows; ++n) place(k, n);
      } else {
        for (std::int64_t n = 0; n < kRows; ++n)
          for (std::int64_t k = 0; k < kDepth; ++k) place(k, n);
      }
    }
}

std::size_t tile_conv_workspace(const TileConvSpec& spec, bool transposed) {
  const Layout l = layout_of(spec, transposed);
  return std::size_t(map_bytes(l) + spec.threads * thread_bytes(l));
}

void tile_conv(const TileConvSpec& spec, bool transposed, const void* from, const std::uint16_t* packed,
               const float* bias, void* to, bool accumulate, std::byte* workspace) {
  const Layout l = layout_of(spec, transposed);
  auto* const map = reinterpret_cast<std::int32_t*>(workspace);
  fill_map(l, map);
  const auto* const weights = reinterpret_cast<const bf16*>(packed);
  const std::int64_t column_values = l.taps * l.depth_blocks() * kTileValues;
  // Few images are shared by the threads: each makes some of the output channels.
  const std::int64_t parts = l.from.n < spec.threads ? spec.threads : 1;
#pragma omp parallel num_threads(spec.threads)
  {
    const TileRegisters registers;
    std::byte* const area = workspace + map_bytes(l) + omp_get_thread_num() * thread_bytes(l);
    const Scratch w{reinterpret_cast<bf16*>(area),
                    reinterpret_cast<float*>(area + l.plane_values() * std::int64_t(sizeof(bf16)))};
    std::memset(w.planes, 0, std::size_t(l.plane_values()) * sizeof(bf16));
    std::int64_t gathered = -1;
#pragma omp for schedule(dynamic)  // what a thread computes does not depend on which it is
    for (std::int64_t job = 0; job < l.from.n * parts; ++job) {
      const std::int64_t n = job / parts, part = job % parts;
      if (n != gathered) gather(l, static_cast<const bf16*>(from) + n * l.from.sample_elements(), w.planes);
      gathered = n;
      bf16* const sample = static_cast<bf16*>(to) + n * l.to.sample_elements();
      const std::int64_t end = (part + 1) * l.columns() / parts;
      const std::int32_t* phase_map = map;
      for (int k = 0; k < l.phase_count; phase_map += l.rows_of(l.phases[k]), ++k) {
        std::int64_t c = part * l.columns() / parts;
        const auto at = [&](auto convolve_blocks) {
          convolve_blocks(l, l.phases[k], w, weights + c * column_values, phase_map,
                          bias ? bias + c * kRows : nullptr, accumulate, sample + c * l.to.pixels * kRows);
        };
        for (; c + 2 <= end; c += 2) at(convolve<2>);
        if (c < end) at(convolve<1>);
      }
    }
  }
}

}  // namespace diffusion::DIFFUSION_ISA

#endif
