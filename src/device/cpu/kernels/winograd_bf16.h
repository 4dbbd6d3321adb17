#pragma once

// F(2x2, 3x3) for bf16 feature maps (AVX512-BF16): 16 products where the direct form has 36. A tile is 2x2 pixels of the output
// and the 4x4 pixels of the input that they see (winograd_tiles.h). V, U and Z are rounded to bf16 once, everything else is f32.

#ifdef __AVX512BF16__

#include "device/cpu/kernels/bf16_pairs.h"
#include "device/cpu/kernels/winograd_tiles.h"

namespace diffusion::DIFFUSION_ISA::winograd_bf16 {

using namespace winograd;

inline constexpr int kSide = 2, kPositions = 16;

// The input of a run of tiles for a strip of channels, transformed column by column: neighbors share two columns.
class InputColumns {
 public:
  InputColumns(const bf16* strip, const BlockedShape& shape, std::int64_t height, std::int64_t width,
               const Run& run)
      : step_(shape.block), offset_((2 * run.column - 1) * step_), end_(width * step_) {
    for (int i = 0; i < 6; ++i) rows_[i] = PixelRow(strip, end_, 2 * run.row - 1 + i, height);
    load_column(right_);
    load_column(right_ + 4);
  }

  // V of the next tile. Asks for the two rows of pixels that the tiles below add.
  void next(Vec* v) {
    rows_[4].prefetch(offset_);
    rows_[5].prefetch(offset_);
    Vec left[8];
    for (int k = 0; k < 8; ++k) left[k] = right_[k];
    load_column(right_);
    load_column(right_ + 4);
    for (int i = 0; i < 4; ++i) {
      const Vec a = left[i], b = left[4 + i], c = right_[i], d = right_[4 + i];
      v[4 * i] = a - c;
      v[4 * i + 1] = b + c;
      v[4 * i + 2] = c - b;
      v[4 * i + 3] = b - d;
    }
  }

 private:
  // B^T d for the next column of d.
  void load_column(Vec* t) {
    const std::int64_t offset = offset_;
    offset_ += step_;
    if (offset < 0 || offset >= end_) {
      for (int i = 0; i < 4; ++i) t[i] = Vec{};
      return;
    }
    const Vec a = rows_[0].at(offset), b = rows_[1].at(offset), c = rows_[2].at(offset),
              d = rows_[3].at(offset);
    t[0] = a - c;
    t[1] = b + c;
    t[2] = c - b;
    t[3] = b - d;
  }

  PixelRow<bf16> rows_[6];
  std::int64_t step_, offset_, end_;
  Vec right_[8];
};

// The gradient of the output of a run of tiles for a strip of channels.
class OutputGradTiles {
 public:
  OutputGradTiles(const bf16* strip, const BlockedShape& shape, std::int64_t height, std::int64_t width,
                  const Run& run)
      : step_(shape.block), offset_(2 * run.column * step_), end_(width * step_) {
    for (int i = 0; i < 4; ++i) rows_[i] = PixelRow(strip, end_, 2 * run.row + i, height);
  }

  // Z of the next tile. Returns the sum of its pixels. Asks for those of the tile below.
  Vec next(Vec* z) {
    rows_[2].prefetch(offset_);
    rows_[3].prefetch(offset_);
    const bool full = offset_ + step_ < end_;
    const Vec a = rows_[0].at(offset_), b = full ? rows_[0].at(offset_ + step_) : Vec{};
    const Vec c = rows_[1].at(offset_), d = full ? rows_[1].at(offset_ + step_) : Vec{};
    offset_ += 2 * step_;
    const Vec t[8] = {a, b, a + c, b + d, a - c, b - d, -c, -d};
    for (int i = 0; i < 4; ++i) {
      z[4 * i] = t[2 * i];
      z[4 * i + 1] = t[2 * i] + t[2 * i + 1];
      z[4 * i + 2] = t[2 * i] - t[2 * i + 1];
      z[4 * i + 3] = -t[2 * i + 1];
    }
    return t[2] + t[3];
  }

 private:
  PixelRow<bf16> rows_[4];
  std::int64_t step_, offset_, end_;
};

}  // namespace diffusion::DIFFUSION_ISA::winograd_bf16

#endif
