#pragma once

// The forward of winograd_bf16.h in pieces, for weights that were transformed before and for those of a file:
// transforms of outputs and kernels, products and where they lie.

#ifdef __AVX512BF16__

#include "device/cpu/kernels/winograd_bf16.h"

namespace diffusion::DIFFUSION_ISA::winograd_bf16 {

inline constexpr std::int64_t kTiles = 48;          // in flight in a thread
inline constexpr std::int64_t kPanel = 4 * kLanes;  // most output channels whose products are in flight
inline constexpr std::int64_t kSums = 24;  // vectors of products for a position: as many as registers add up;
                                           // those of all positions stay in the first cache

// A^T m A: 2x2 pixels; of the shrinking form their sum, one pixel.
template <WinogradForm kForm>
inline void transform_output(const Vec* m, Vec* y) {
  if constexpr (kForm == WinogradForm::shrinking) {
    Vec t[3];
    for (int i = 0; i < 3; ++i) t[i] = m[3 * i] + (m[3 * i + 1] + m[3 * i + 1]) - m[3 * i + 2];
    y[0] = t[0] + (t[1] + t[1]) - t[2];
  } else if constexpr (kForm == WinogradForm::enlarging) {
    for (int i = 0; i < 2; ++i) {
      Vec t[3];
      for (int j = 0; j < 3; ++j) t[j] = i == 0 ? m[j] + m[3 + j] : m[3 + j] - m[6 + j];
      y[2 * i] = t[0] + t[1];
      y[2 * i + 1] = t[1] - t[2];
    }
  } else {
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
}

// G g G^T; g: 3x3 weights of 16 kernels.
inline void transform_kernels(const Vec* g, Vec* u) {
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

// V of a run of tiles for a strip of channels from number `c`. Distances of products and tiles in `v` are
// given.
template <WinogradForm kForm>
inline void transform_inputs(const WinogradSpec& s, const bf16* x, const Run& run, std::int64_t c,
                             std::int64_t product_distance, std::int64_t tile_distance, bf16* v) {
  const bf16* image = x + run.image * s.x.sample_elements();
  InputProducts<kForm> products(image + channel_offset(s.x, c), s, run);
  for (std::int64_t k = 0; k < run.count; ++k) {
    Vec values[kProducts<kForm>];
    products.next(values);
    bf16* to = v + k * tile_distance;
    for (int p = 0; p < kProducts<kForm>; ++p, to += product_distance) store(to, values[p]);
  }
}

// Products of a panel of output channels, whose first is number `panel`: [product][tile][channel].
struct PanelProducts {
  const float* m;
  std::int64_t product_distance, tile_distance;
  std::int64_t panel;
};

// The outputs of a run of tiles, whose first is number `at` of the products.
template <WinogradForm kForm>
inline void store_outputs(const WinogradSpec& s, const PanelProducts& products, const float* bias,
                          const Run& run, std::int64_t at, bool accumulate, bf16* y) {
  constexpr int kCount = kProducts<kForm>;
  constexpr bool kShrinking = kForm == WinogradForm::shrinking;
  constexpr std::int64_t kTileSide = kShrinking ? 1 : 2;
  const std::int64_t row = (kShrinking ? s.width / 2 : s.width) * s.y.block,
                     left = kTileSide * run.column * s.y.block, panel = products.panel;
  bf16* image = y + run.image * s.y.sample_elements() + kTileSide * run.row * row;
  const bool below = 2 * run.row + 1 < s.height;
  for (std::int64_t c = panel; c < smaller(s.y.stored_channels(), panel + kPanel); c += kLanes) {
    const Vec offset = bias ? load(bias + c) : Vec{};
    bf16* to = image + channel_offset(s.y, c) + left;
    const bf16* end = to - left + row;
    const auto put = [&](bf16* pixel, Vec value) {
      value += offset;
      store(pixel, accumulate ? load(pixel) + value : value);
    };
    for (std::int64_t k = 0; k < run.count; ++k, to += kTileSide * s.y.block) {
      Vec values[kCount], pixels[4];
      const float* from = products.m + (at + k) * products.tile_distance + c - panel;
      for (int p = 0; p < kCount; ++p, from += products.product_distance) values[p] = load(from);
      transform_output<kForm>(values, pixels);
      put(to, pixels[0]);
      if constexpr (!kShrinking) {
        const bool right = to + s.y.block < end;
        if (right) put(to + s.y.block, pixels[1]);
        if (below) put(to + row, pixels[2]);
        if (below && right) put(to + row + s.y.block, pixels[3]);
      }
    }
  }
}

template <WinogradForm kForm>
struct Forward {
  static constexpr int kCount = kProducts<kForm>;
  const WinogradSpec& s;
  Tiles tiles;
  std::int64_t in, out, pairs, count;  // stored channels; pairs of input channels; tiles of all images
  std::int64_t panel_width, group;     // output channels of a panel; tiles whose products are in flight

  explicit Forward(const WinogradSpec& spec)
      : s(spec),
        tiles(spec, kSide),
        in(spec.x.stored_channels()),
        out(spec.y.stored_channels()),
        pairs(in / 2),
        count(spec.x.n * tiles.per_image()),
        panel_width(smaller(out, kPanel)),
        group(kSums / (panel_width / kLanes)) {}

  // Elements from one position to the next.
  std::int64_t v_position() const { return position_bytes(kTiles * in * 2) / 2; }
  static constexpr std::int64_t kMPosition = position_bytes(kSums * kLanes * 4) / 4;

  std::int64_t v_bytes() const { return kCount * v_position() * std::int64_t(sizeof(bf16)); }
  std::int64_t m_bytes() const { return kCount * kMPosition * std::int64_t(sizeof(float)); }

  // V: [position][tile][input channel], of a run whose first tile is number `at` of those in flight.
  void fill_v(const bf16* x, const Run& run, std::int64_t at, bf16* v) const {
    for (std::int64_t c = 0; c < in; c += kLanes)
      transform_inputs<kForm>(s, x, run, c, v_position(), in, v + at * in + c);
  }

  // The last panel can be narrower than panel_width.
  void multiply_group(const PairProduct& product, std::int64_t vecs) const {
    switch (group) {
      case 24:
        return multiply_tile<24, 1>(product, 0);
      case 12:
        return multiply_tile<12, 2>(product, 0);
      case 8:
        return multiply_tile<8, 3>(product, 0);
      default:
        if (vecs == 4) multiply_tile<6, 4>(product, 0);
        if (vecs == 3) multiply_tile<6, 3>(product, 0);
        if (vecs == 2) multiply_tile<6, 2>(product, 0);
        if (vecs == 1) multiply_tile<6, 1>(product, 0);
    }
  }

  // m: [position][tile of the group][channel of the panel]; v: of the group
  void fill_m(const bf16* v, const Pair* packed, std::int64_t panel, float* m) const {
    const std::int64_t vecs = smaller(out - panel, kPanel) / kLanes;
    for (int p = 0; p < kCount; ++p) {
      const PairProduct product{reinterpret_cast<const Pair*>(v + p * v_position()),
                                pairs,
                                1,
                                packed + p * pairs * out + panel * pairs,
                                vecs * kLanes,
                                m + p * kMPosition,
                                panel_width,
                                pairs,
                                false};
      multiply_group(product, vecs);
    }
  }

  void store_y(const float* m, const float* bias, std::int64_t panel, const Run& run, std::int64_t at,
               bool accumulate, bf16* y) const {
    store_outputs<kForm>(s, {m, kMPosition, panel_width, panel}, bias, run, at, accumulate, y);
  }
};

}  // namespace diffusion::DIFFUSION_ISA::winograd_bf16

#endif
