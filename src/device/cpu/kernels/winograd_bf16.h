#pragma once

// F(2x2, 3x3) for bf16 feature maps (AVX512-BF16): 16 products where the direct form has 36. A tile is 2x2
// pixels of the output and the 4x4 pixels of the input that they see (winograd_tiles.h). V, U and Z are
// rounded to bf16 once, everything else is f32.
//
// Of an image that was enlarged by nearest neighbor, the middle two rows and columns of those 4x4 pixels are
// equal, since tiles begin at even places. The third row and column of V are their difference, zero, so 9
// products remain. The transpose adds the 2x2 pixels of a tile up: the columns of A^T sum to 1, 2, 0 and -1,
// and the same 9 remain.

#ifdef __AVX512BF16__

#include <type_traits>

#include "device/cpu/kernels/bf16_pairs.h"
#include "device/cpu/kernels/winograd_tiles.h"

namespace diffusion::DIFFUSION_ISA::winograd_bf16 {

using namespace winograd;

inline constexpr int kSide = 2, kPositions = 16;

// How many products there are, and where the 16 of the plain form have them.
template <WinogradForm kForm>
inline constexpr int kProducts = kForm == WinogradForm::plain ? kPositions : 9;

template <WinogradForm kForm>
constexpr int position(int product) {
  constexpr int kKept[9] = {0, 1, 3, 4, 5, 7, 12, 13, 15};
  return kForm == WinogradForm::plain ? product : kKept[product];
}

// Calls what.template operator()<form>().
template <class What>
inline auto with_form(WinogradForm form, What what) {
  switch (form) {
    case WinogradForm::enlarging:
      return what.template operator()<WinogradForm::enlarging>();
    case WinogradForm::shrinking:
      return what.template operator()<WinogradForm::shrinking>();
    case WinogradForm::plain:
      break;
  }
  return what.template operator()<WinogradForm::plain>();
}

// The input of a run of tiles for a strip of channels, transformed column by column: neighbors share two
// columns.
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

// The same of an image before it is enlarged: `shape`, `height` and `width` are its own. A tile sees 3x3 of
// its pixels.
class EnlargedColumns {
 public:
  EnlargedColumns(const bf16* strip, const BlockedShape& shape, std::int64_t height, std::int64_t width,
                  const Run& run)
      : step_(shape.block), offset_((run.column - 1) * step_), end_(width * step_) {
    for (int i = 0; i < 4; ++i) rows_[i] = PixelRow(strip, end_, run.row - 1 + i, height);
    load_column(left_);
    load_column(middle_);
  }

  // The 9 products of the next tile. Asks for the row of pixels that the tiles below add.
  void next(Vec* v) {
    rows_[3].prefetch(offset_);
    Vec right[3];
    load_column(right);
    for (int i = 0; i < 3; ++i) {
      v[3 * i] = left_[i] - middle_[i];
      v[3 * i + 1] = middle_[i] + middle_[i];
      v[3 * i + 2] = middle_[i] - right[i];
      left_[i] = middle_[i];
      middle_[i] = right[i];
    }
  }

 private:
  void load_column(Vec* t) {
    const std::int64_t offset = offset_;
    offset_ += step_;
    if (offset < 0 || offset >= end_) {
      for (int i = 0; i < 3; ++i) t[i] = Vec{};
      return;
    }
    const Vec a = rows_[0].at(offset), b = rows_[1].at(offset), c = rows_[2].at(offset);
    t[0] = a - b;
    t[1] = b + b;
    t[2] = b - c;
  }

  PixelRow<bf16> rows_[4];
  std::int64_t step_, offset_, end_;
  Vec left_[3], middle_[3];
};

// The products of a run of tiles' input for a strip of channels, in any form.
template <WinogradForm kForm>
class InputProducts {
 public:
  InputProducts(const bf16* strip, const WinogradSpec& s, const Run& run)
      : columns_(strip, s.x, kEnlarging ? s.height / 2 : s.height, kEnlarging ? s.width / 2 : s.width, run) {}

  void next(Vec* v) {
    if constexpr (kForm == WinogradForm::shrinking) {
      Vec all[kPositions];
      columns_.next(all);
      for (int p = 0; p < kProducts<kForm>; ++p) v[p] = all[position<kForm>(p)];
    } else {
      columns_.next(v);
    }
  }

 private:
  static constexpr bool kEnlarging = kForm == WinogradForm::enlarging;
  std::conditional_t<kEnlarging, EnlargedColumns, InputColumns> columns_;
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
