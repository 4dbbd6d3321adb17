#pragma once

// What all Winograd convolutions (Lavin & Gray 2016, arXiv 1509.09308; 3x3 kernels, stride 1, a border of 1)
// share: the tiles of an image and the reading of pixels. With d a tile of the input, g a kernel, m their
// product per position summed over input channels, and y a tile of the output,
//   V = B^T d B,   U = G g G^T,   m = U V,   y = A^T m A,
// and for the gradient of the kernels, summed over tiles,
//   Z = A dy A^T,   dU = V Z,   dg = G^T dU G.
// The matrices are in winograd_bf16.h and winograd_f32.h.

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/simd.h"
#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA::winograd {

// Distance in bytes from one position to the next: a cache line more than the matrix, because lines that are
// multiples of 4096 bytes apart share one set of the first cache, which holds 8, and a transform touches all
// positions.
constexpr std::int64_t position_bytes(std::int64_t matrix_bytes) {
  return (matrix_bytes + 63) / 64 * 64 + 64;
}

inline std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

// Tiles are numbered along the rows of an image, image after image.
struct Tiles {
  std::int64_t rows, columns;  // of an image

  Tiles(const WinogradSpec& s, int side)
      : rows((s.height + side - 1) / side), columns((s.width + side - 1) / side) {}
  std::int64_t per_image() const { return rows * columns; }
};

// Neighbors in one row of tiles.
struct Run {
  std::int64_t image, row, column, count;
};

// The tiles from number `first` to the end of their row, at most `count`.
inline Run run_from(const Tiles& tiles, std::int64_t first, std::int64_t count) {
  const std::int64_t in_image = first % tiles.per_image(), column = in_image % tiles.columns;
  return {first / tiles.per_image(), in_image / tiles.columns, column,
          smaller(count, tiles.columns - column)};
}

// Calls what(run, number of its first tile among those in flight) for `in_flight` tiles from number `first`.
template <class What>
inline void for_runs(const Tiles& tiles, std::int64_t first, std::int64_t in_flight, What what) {
  for (std::int64_t at = 0; at < in_flight;) {
    const Run run = run_from(tiles, first + at, in_flight - at);
    what(run, at);
    at += run.count;
  }
}

// The pixels of one strip of kLanes channels in one row of an image, or zeros outside of it.
template <class T>
class PixelRow {
 public:
  PixelRow() = default;
  // `strip`: pixel (0, 0) of the image; null: an image of zeros.
  PixelRow(const T* strip, std::int64_t row_elements, std::int64_t y, std::int64_t height) {
    alignas(64) static constexpr T kZeros[kLanes] = {};
    const bool inside = strip && y >= 0 && y < height;
    from_ = inside ? strip + y * row_elements : kZeros;
    mask_ = inside ? -1 : 0;
  }
  Vec at(std::int64_t offset) const { return load(from_ + (offset & mask_)); }
  // Asks for the pixel `offset` and its neighbors to the right, up to a cache line.
  void prefetch(std::int64_t offset) const { __builtin_prefetch(from_ + (offset & mask_), 0, 2); }

 private:
  const T* from_;
  std::int64_t mask_;
};

}  // namespace diffusion::DIFFUSION_ISA::winograd
