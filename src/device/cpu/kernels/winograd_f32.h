#pragma once

// F(4x4, 3x3) for f32 feature maps: 36 products where the direct form has 144. A tile is 4x4 pixels of the
// output and the 6x6 pixels of the input that they see (winograd_tiles.h).
//
// The polynomials are evaluated at 0, +-a, +-b and infinity with a = 1/sqrt(2), b = sqrt(2): no matrix holds
// large numbers, and rounding errors are less than twice those of the direct form, where 0, +-1, +-2 have
// four times (docs/benchmarks.md).

#include "device/cpu/kernels/winograd_tiles.h"

namespace diffusion::DIFFUSION_ISA::winograd_f32 {

using namespace winograd;

inline constexpr int kSide = 4, kTile = 6, kPositions = kTile * kTile;
inline constexpr std::int64_t kLineFloats = 16;  // of a cache line
inline constexpr float kA = 0.70710678118654752f, kB = 1.4142135623730951f;

// B^T d for a column or row d; the elements of v are `step` apart.
inline void transform_input(const Vec (&d)[kTile], Vec* v, int step) {
  const Vec even_a = d[4] - splat(2.f) * d[2], odd_a = splat(kA) * (d[3] - splat(2.f) * d[1]);
  const Vec even_b = d[4] - splat(.5f) * d[2], odd_b = splat(kB) * (d[3] - splat(.5f) * d[1]);
  v[0] = d[0] + (d[4] - splat(2.5f) * d[2]);
  v[step] = even_a + odd_a;
  v[2 * step] = even_a - odd_a;
  v[3 * step] = even_b + odd_b;
  v[4 * step] = even_b - odd_b;
  v[5 * step] = d[1] + (d[5] - splat(2.5f) * d[3]);
}

// A^T m
inline void transform_product(const Vec (&m)[kTile], Vec (&y)[kSide]) {
  const Vec sum_a = m[1] + m[2], difference_a = m[1] - m[2], sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = splat(kA) * difference_a + splat(kB) * difference_b;
  y[2] = splat(.5f) * sum_a + splat(2.f) * sum_b;
  y[3] = splat(kA / 2) * difference_a + (splat(2 * kB) * difference_b + m[5]);
}

// A dy
inline void transform_output_grad(const Vec (&dy)[kSide], Vec* z, int step) {
  const Vec even_a = dy[0] + splat(.5f) * dy[2], odd_a = splat(kA) * (dy[1] + splat(.5f) * dy[3]);
  const Vec even_b = dy[0] + splat(2.f) * dy[2], odd_b = splat(kB) * (dy[1] + splat(2.f) * dy[3]);
  z[0] = dy[0];
  z[step] = even_a + odd_a;
  z[2 * step] = even_a - odd_a;
  z[3 * step] = even_b + odd_b;
  z[4 * step] = even_b - odd_b;
  z[5 * step] = dy[3];
}

// G g
inline void transform_kernel(const Vec (&g)[3], Vec* u, int step) {
  const Vec even_a = splat(-2.f / 3) * (g[0] + splat(.5f) * g[2]), odd_a = splat(-2.f / 3 * kA) * g[1];
  const Vec even_b = splat(1.f / 6) * (g[0] + splat(2.f) * g[2]), odd_b = splat(1.f / 6 * kB) * g[1];
  u[0] = g[0];
  u[step] = even_a + odd_a;
  u[2 * step] = even_a - odd_a;
  u[3 * step] = even_b + odd_b;
  u[4 * step] = even_b - odd_b;
  u[5 * step] = g[2];
}

// G^T du
inline void transform_kernel_grad(const Vec (&du)[kTile], Vec (&dg)[3]) {
  const Vec sum_a = splat(-2.f / 3) * (du[1] + du[2]), difference_a = splat(-2.f / 3 * kA) * (du[1] - du[2]);
  const Vec sum_b = splat(1.f / 6) * (du[3] + du[4]), difference_b = splat(1.f / 6 * kB) * (du[3] - du[4]);
  dg[0] = du[0] + sum_a + sum_b;
  dg[1] = difference_a + difference_b;
  dg[2] = splat(.5f) * sum_a + (splat(2.f) * sum_b + du[5]);
}

// The input of a run of tiles for a strip of kLanes channels, transformed column by column: neighbors share
// two columns.
class InputColumns {
 public:
  // `strip`: pixel (0, 0) of the image.
  InputColumns(const float* strip, const BlockedShape& shape, std::int64_t height, std::int64_t width,
               const Run& run)
      : step_(shape.block), offset_((kSide * run.column - 1) * step_), end_(width * step_) {
    for (int i = 0; i < kTile + kSide; ++i) rows_[i] = PixelRow(strip, end_, kSide * run.row - 1 + i, height);
    load_column(columns_[4]);
    load_column(columns_[5]);
  }

  // V of the next tile, with `position` floats from one position to the next. Asks for the four rows of
  // pixels that the tiles below add.
  void next(float* v, std::int64_t position) {
    for (int i = kTile; i < kTile + kSide; ++i)
      for (std::int64_t j = 0; j < kSide * step_; j += kLineFloats) rows_[i].prefetch(offset_ + j);
    for (int i = 0; i < kTile; ++i) {
      columns_[0][i] = columns_[4][i];
      columns_[1][i] = columns_[5][i];
    }
    for (int j = 2; j < kTile; ++j) load_column(columns_[j]);
    for (int i = 0; i < kTile; ++i) {
      Vec row[kTile];
      transform_input(
          {columns_[0][i], columns_[1][i], columns_[2][i], columns_[3][i], columns_[4][i], columns_[5][i]},
          row, 1);
      for (int j = 0; j < kTile; ++j, v += position) store(v, row[j]);
    }
  }

 private:
  void load_column(Vec* t) {
    const std::int64_t offset = offset_;
    offset_ += step_;
    if (offset < 0 || offset >= end_) {
      for (int i = 0; i < kTile; ++i) t[i] = Vec{};
      return;
    }
    transform_input({rows_[0].at(offset), rows_[1].at(offset), rows_[2].at(offset), rows_[3].at(offset),
                     rows_[4].at(offset), rows_[5].at(offset)},
                    t, 1);
  }

  PixelRow<float> rows_[kTile + kSide];
  std::int64_t step_, offset_, end_;
  Vec columns_[kTile][kTile];
};

// V of a run of tiles, [position][tile][input channel] with `position` floats from one position to the next.
// The first tile is number `at` of those in flight.
inline void fill_v(const WinogradSpec& s, const float* x, const Run& run, std::int64_t at,
                   std::int64_t position, float* v) {
  const std::int64_t in = s.x.stored_channels();
  const float* image = x + run.image * s.x.sample_elements();
  for (std::int64_t c = 0; c < in; c += kLanes) {
    InputColumns columns(image + channel_offset(s.x, c), s.x, s.height, s.width, run);
    for (std::int64_t k = 0; k < run.count; ++k) columns.next(v + (at + k) * in + c, position);
  }
}

}  // namespace diffusion::DIFFUSION_ISA::winograd_f32
