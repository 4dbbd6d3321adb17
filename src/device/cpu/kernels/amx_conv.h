#pragma once

// How convolutions become products of tiles (amx.h).
//
// A source image lies in planes with zero borders, so that no tap leaves them. Output (y, x) and its input of
// tap (ky, kx) are at the rows y pitch + x and (y + ky) pitch + x + kx: a constant distance, so 16 outputs in
// order of this number are 16 rows of a product, and a tap shifts where its input is read. Numbers whose x
// lies in the border give outputs that nobody keeps. With stride 2 the source is dealt out to four planes,
// rows and columns each by their parity; in the transposed direction so are the outputs.

#ifdef __AMX_BF16__

#include "device/cpu/kernels/amx.h"
#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA::amx {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// The planes of one source image: step x step of rows x pitch pixels, the image beginning at (top, left) of
// the undealt border.
struct Planes {
  std::int64_t height, width;  // of the image
  std::int64_t rows, pitch, top, left;
  int step;
  std::int64_t pixels() const { return rows * pitch; }
  std::int64_t all_pixels() const { return step * step * pixels(); }
};

// One block of 16 channels of an image, to `to` of its planes, whose pixels are `stride` values apart.
// Borders stay as they are.
inline void deal_out(const Planes& p, const bf16* block, bf16* to, std::int64_t stride) {
  for (std::int64_t y = 0; y < p.height; ++y, block += p.width * kRows) {
    const std::int64_t row = (y + p.top) / p.step, row_phase = (y + p.top) % p.step;
    if (row >= p.rows) break;
    for (int phase = 0; phase < p.step; ++phase) {  // columns that begin a plane's row
      const std::int64_t first = ((phase - p.left) % p.step + p.step) % p.step;
      const std::int64_t column = (first + p.left) / p.step;
      bf16* line = to + ((row_phase * p.step + phase) * p.pixels() + row * p.pitch + column) * stride;
      const std::int64_t room = p.pitch - column, left = ceil_div(p.width - first, p.step);
      const std::int64_t count = left < room ? left : room;
      const bf16* from = block + first * kRows;
      for (std::int64_t i = 0; i < count; ++i, from += p.step * kRows, line += stride)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(line),
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    }
  }
}

}  // namespace diffusion::DIFFUSION_ISA::amx

#endif
