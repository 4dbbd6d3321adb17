// 3x3 convolutions with stride 1 and a border of 1, and their input gradients: Winograd's F(4x4, 3x3), as
// winograd_f32.h has it.

#include "device/cpu/kernels/winograd_f32.h"

#include <omp.h>

#include "device/cpu/kernels/gemm.h"
#include "device/cpu/kernels/kernels.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace winograd_f32;

constexpr std::int64_t kPanel =
    (kRegisters >= 32 ? 4 : 2) * kLanes;         // output channels whose products are in flight
constexpr std::int64_t kChunkBytes = 700 << 10;  // of V and m in flight in a thread
constexpr std::int64_t kGroup = 6;               // tiles that gemm() takes at once

struct Forward {
  const WinogradSpec& s;
  Tiles tiles;
  std::int64_t in, out, count, chunk;  // stored channels; tiles of all images and in flight in a thread

  explicit Forward(const WinogradSpec& spec)
      : s(spec),
        tiles(spec, kSide),
        in(spec.x.stored_channels()),
        out(spec.y.stored_channels()),
        count(spec.x.n * tiles.per_image()) {
    const std::int64_t fitting = kChunkBytes / (kPositions * (in + kPanel) * 4) / kGroup * kGroup;
    const std::int64_t share = (count + spec.threads - 1) / spec.threads;
    chunk = smaller(fitting < 2 * kGroup ? 2 * kGroup : fitting, share);
  }

  // Floats from one position to the next.
  std::int64_t v_position() const { return position_bytes(chunk * in * 4) / 4; }
  std::int64_t m_position() const { return position_bytes(chunk * kPanel * 4) / 4; }
  std::int64_t thread_floats() const { return kPositions * (v_position() + m_position()); }

  // m: [position][tile][channel of the panel]
  void fill_m(const float* v, const float* packed, std::int64_t panel, std::int64_t in_flight,
              float* m) const {
    const std::int64_t width = smaller(out - panel, kPanel);
    for (int p = 0; p < kPositions; ++p)
      gemm(in_flight, width,
           {v + p * v_position(), in, 1, packed + (p * out + panel) * in, width, m + p * m_position(), kPanel,
            in, false});
  }

  void store_y(const float* m, const float* bias, std::int64_t panel, const Run& run, std::int64_t at,
               bool accumulate, float* y) const {
    const std::int64_t step = s.y.block, row = s.width * step, position = m_position();
    float* image = y + run.image * s.y.sample_elements() + kSide * run.row * row;
    const int rows = int(smaller(s.height - kSide * run.row, kSide));
    for (std::int64_t c = panel; c < smaller(out, panel + kPanel); c += kLanes) {
      const Vec offset = bias ? load(bias + c) : Vec{};
      for (std::int64_t k = 0; k < run.count; ++k) {
        const std::int64_t left = kSide * (run.column + k);
        const int columns = int(smaller(s.width - left, kSide));
        const float* from = m + (at + k) * kPanel + c - panel;
        Vec t[kTile][kSide];
        for (int j = 0; j < kTile; ++j) {
          const float* column = from + j * position;
          const std::int64_t next = kTile * position;
          transform_product({load(column), load(column + next), load(column + 2 * next),
                             load(column + 3 * next), load(column + 4 * next), load(column + 5 * next)},
                            t[j]);
        }
        float* to = image + channel_offset(s.y, c) + left * step;
        for (int i = 0; i < rows; ++i, to += row) {
          Vec pixels[kSide];
          transform_product({t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i]}, pixels);
          for (int j = 0; j < columns; ++j) {
            const Vec value = pixels[j] + offset;
            store(to + j * step, accumulate ? load(to + j * step) + value : value);
          }
        }
      }
    }
  }

  void run(const float* x, const float* packed, const float* bias, float* y, bool accumulate,
           float* workspace) const {
    const std::int64_t chunks = (count + chunk - 1) / chunk;
#pragma omp parallel num_threads(s.threads)
    {
      float* v = workspace + omp_get_thread_num() * thread_floats();
      float* m = v + kPositions * v_position();
#pragma omp for schedule(static)
      for (std::int64_t number = 0; number < chunks; ++number) {
        const std::int64_t first = number * chunk, in_flight = smaller(count - first, chunk);
        for_runs(tiles, first, in_flight,
                 [&](const Run& run, std::int64_t at) { fill_v(s, x, run, at, v_position(), v); });
        for (std::int64_t panel = 0; panel < out; panel += kPanel) {
          fill_m(v, packed, panel, in_flight, m);
          for_runs(tiles, first, in_flight,
                   [&](const Run& run, std::int64_t at) { store_y(m, bias, panel, run, at, accumulate, y); });
        }
      }
    }
  }
};

}  // namespace

std::size_t winograd_f32_packed_floats(const WinogradSpec& spec) {
  return std::size_t(kPositions * spec.x.stored_channels() * spec.y.stored_channels());
}

// packed: [position][panel of output channels][input channel][output channel of the panel]. Mirrored, the
// weight belongs to the convolution from y to x.
void winograd_f32_pack(const WinogradSpec& spec, const float* weight, bool mirrored, float* packed) {
  const std::int64_t in = spec.x.stored_channels(), out = spec.y.stored_channels();
  const std::int64_t from_i = 9 * (mirrored ? spec.y.channels : 1),
                     from_o = 9 * (mirrored ? 1 : spec.x.channels);
#pragma omp parallel for schedule(static) num_threads(spec.threads)
  for (std::int64_t o = 0; o < out; o += kLanes) {
    const std::int64_t panel = o / kPanel * kPanel, width = smaller(out - panel, kPanel);
    const std::int64_t known = smaller(spec.y.channels - o, kLanes);
    for (std::int64_t i = 0; i < in; ++i) {
      float taps[9][kLanes] = {};
      if (i < spec.x.channels)
        for (std::int64_t lane = 0; lane < known; ++lane) {
          const float* kernel = weight + i * from_i + (o + lane) * from_o;
          for (int tap = 0; tap < 9; ++tap) taps[mirrored ? 8 - tap : tap][lane] = kernel[tap];
        }
      Vec t[3][kTile], u[kPositions];
      for (int j = 0; j < 3; ++j)
        transform_kernel({load(taps[j]), load(taps[3 + j]), load(taps[6 + j])}, t[j], 1);
      for (int k = 0; k < kTile; ++k) transform_kernel({t[0][k], t[1][k], t[2][k]}, u + kTile * k, 1);
      float* to = packed + panel * in + i * width + o - panel;
      for (int p = 0; p < kPositions; ++p) store(to + p * in * out, u[p]);
    }
  }
}

std::size_t winograd_f32_forward_workspace(const WinogradSpec& spec) {
  return std::size_t(Forward(spec).thread_floats() * spec.threads);
}

void winograd_f32_forward(const WinogradSpec& spec, const float* x, const float* packed, const float* bias,
                          float* y, bool accumulate, float* workspace) {
  Forward(spec).run(x, packed, bias, y, accumulate, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
