// Convolutions between images of one to four channels and wide feature maps: the first and last layer of a
// U-Net. A blocked layout would waste 12 to 15 of 16 lanes on the narrow side, so it stays plain.

#include <omp.h>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

struct Geometry {
  std::int64_t stored, strips, taps, wide_sample, narrow_sample;
  std::int64_t border_height, border_width;  // the narrow plane with the border that the kernel reaches
};

Geometry geometry_of(const NarrowConvSpec& s) {
  const std::int64_t stored = s.wide.stored_channels();
  return {stored,
          stored / kLanes,
          s.narrow_channels * s.kernel_height * s.kernel_width,
          s.wide.sample_elements(),
          s.narrow_channels * s.narrow_height * s.narrow_width,
          s.wide_height + s.kernel_height - 1,
          s.wide_width + s.kernel_width - 1};
}

std::int64_t bordered_floats(const NarrowConvSpec& s, const Geometry& g) {
  return s.narrow_channels * g.border_height * g.border_width;
}

// Copies a narrow sample into planes with a zero border, so that the inner loops need no bounds.
void add_border(const NarrowConvSpec& s, const Geometry& g, const float* sample, float* bordered) {
  for (std::int64_t i = 0; i < bordered_floats(s, g); ++i) bordered[i] = 0;
  for (std::int64_t c = 0; c < s.narrow_channels; ++c)
    for (std::int64_t y = 0; y < s.narrow_height; ++y) {
      const std::int64_t to_y = y + s.pad_top;
      if (to_y < 0 || to_y >= g.border_height) continue;
      for (std::int64_t x = 0; x < s.narrow_width; ++x) {
        const std::int64_t to_x = x + s.pad_left;
        if (to_x >= 0 && to_x < g.border_width)
          bordered[(c * g.border_height + to_y) * g.border_width + to_x] =
              sample[(c * s.narrow_height + y) * s.narrow_width + x];
      }
    }
}

constexpr int kPixels = 6;  // neighboring pixels that share one load of the weights

// kCount neighboring pixels of one strip.
template <int kCount, class T>
void wide_pixels(const NarrowConvSpec& s, const Geometry& g, const float* corner, const float* packed,
                 Vec bias, bool accumulate, T* out) {
  Vec acc[kCount];
  for (int i = 0; i < kCount; ++i) acc[i] = accumulate ? load(out + i * s.wide.block) + bias : bias;
  for (std::int64_t c = 0; c < s.narrow_channels; ++c)
    for (int ky = 0; ky < s.kernel_height; ++ky) {
      const float* row = corner + (c * g.border_height + ky) * g.border_width;
      for (int kx = 0; kx < s.kernel_width; ++kx, packed += g.stored) {
        const Vec w = load(packed);
        for (int i = 0; i < kCount; ++i) acc[i] += splat(row[kx + i]) * w;
      }
    }
  for (int i = 0; i < kCount; ++i) store(out + i * s.wide.block, acc[i]);
}

template <class T>
void to_wide(const NarrowConvSpec& s, const float* narrow, const float* packed, const float* bias, T* wide,
             bool accumulate, float* workspace) {
  const Geometry g = geometry_of(s);
#pragma omp parallel for schedule(static) num_threads(s.threads)
  for (std::int64_t n = 0; n < s.wide.n; ++n) {
    float* bordered = workspace + omp_get_thread_num() * bordered_floats(s, g);
    add_border(s, g, narrow + n * g.narrow_sample, bordered);
    for (std::int64_t strip = 0; strip < g.strips; ++strip) {
      const float* weights = packed + strip * kLanes;
      const Vec b = bias ? load(bias + strip * kLanes) : Vec{};
      for (std::int64_t y = 0; y < s.wide_height; ++y) {
        T* out = wide + n * g.wide_sample + channel_offset(s.wide, strip * kLanes) +
                 y * s.wide_width * s.wide.block;
        const float* corner = bordered + y * g.border_width;
        std::int64_t x = 0;
        for (; x + kPixels <= s.wide_width; x += kPixels)
          wide_pixels<kPixels>(s, g, corner + x, weights, b, accumulate, out + x * s.wide.block);
        for (; x < s.wide_width; ++x)
          wide_pixels<1>(s, g, corner + x, weights, b, accumulate, out + x * s.wide.block);
      }
    }
  }
}

// sums[x] += the products of kStrips strips of pixels with one tap's weights.
template <int kStrips, class T>
void tap_products(const BlockedShape& wide, const T* pixels, const float* weights, std::int64_t count,
                  Vec* sums) {
  Vec w[kStrips];
  const T* strip[kStrips];
  for (int i = 0; i < kStrips; ++i) {
    w[i] = load(weights + i * kLanes);
    strip[i] = pixels + channel_offset(wide, i * kLanes);
  }
  for (std::int64_t x = 0; x < count; ++x) {
    Vec total = sums[x];
    for (int i = 0; i < kStrips; ++i) total += load(strip[i] + x * wide.block) * w[i];
    sums[x] = total;
  }
}

// The sums of a row are vectors in memory until all taps are in: a single one in a register would wait for
// itself.
constexpr std::int64_t kMostSums = 64;

template <class T>
void narrow_pixels(const NarrowConvSpec& s, const Geometry& g, const T* sample, const float* packed,
                   std::int64_t y, std::int64_t first, std::int64_t count, Vec* sums) {
  for (std::int64_t i = 0; i < count; ++i) sums[i] = Vec{};
  for (int ky = 0; ky < s.kernel_height; ++ky) {
    const std::int64_t from_y = y + ky - s.pad_top;
    if (from_y < 0 || from_y >= s.wide_height) continue;
    for (int kx = 0; kx < s.kernel_width; ++kx) {
      const std::int64_t shift = kx - s.pad_left;  // the input is that far right of the output
      const std::int64_t begin = first + shift < 0 ? -shift : first;
      const std::int64_t limit = s.wide_width - shift, end = first + count < limit ? first + count : limit;
      const T* pixels = sample + (from_y * s.wide_width + begin + shift) * s.wide.block;
      const float* weights = packed + (ky * s.kernel_width + kx) * g.stored;
      std::int64_t strip = 0;
      const auto at = [&](auto products) {
        products(s.wide, pixels + channel_offset(s.wide, strip * kLanes), weights + strip * kLanes,
                 end - begin, sums + (begin - first));
      };
      for (; strip + 4 <= g.strips; strip += 4) at(tap_products<4, T>);
      for (; strip < g.strips; ++strip) at(tap_products<1, T>);
    }
  }
}

template <class T>
void to_narrow(const NarrowConvSpec& s, const T* wide, const float* packed, const float* bias, float* narrow,
               bool accumulate) {
  const Geometry g = geometry_of(s);
  const std::int64_t channel_taps = s.kernel_height * s.kernel_width * g.stored;
#pragma omp parallel for collapse(2) schedule(static) num_threads(s.threads)
  for (std::int64_t n = 0; n < s.wide.n; ++n)
    for (std::int64_t y = 0; y < s.narrow_height; ++y)
      for (std::int64_t c = 0; c < s.narrow_channels; ++c) {
        float* out = narrow + ((n * s.narrow_channels + c) * s.narrow_height + y) * s.narrow_width;
        for (std::int64_t first = 0; first < s.narrow_width; first += kMostSums) {
          const std::int64_t left = s.narrow_width - first, count = left < kMostSums ? left : kMostSums;
          Vec sums[kMostSums];
          narrow_pixels(s, g, wide + n * g.wide_sample, packed + c * channel_taps, y, first, count, sums);
          for (std::int64_t i = 0; i < count; ++i)
            out[first + i] = (accumulate ? out[first + i] : 0.f) + (bias ? bias[c] : 0.f) + sum(sums[i]);
        }
      }
}

// Adds one strip's products over a sample: sums[tap] += narrow[pixel + tap] * wide[pixel], kTaps taps of one
// row.
template <int kTaps, class T>
void strip_products(const NarrowConvSpec& s, const Geometry& g, const float* corner, const T* strip,
                    float* sums) {
  Vec acc[kTaps];
  for (int t = 0; t < kTaps; ++t) acc[t] = load(sums + t * g.stored);
  for (std::int64_t y = 0; y < s.wide_height; ++y)
    for (std::int64_t x = 0; x < s.wide_width; ++x) {
      const Vec d = load(strip + (y * s.wide_width + x) * s.wide.block);
      const float* at = corner + y * g.border_width + x;
      for (int t = 0; t < kTaps; ++t) acc[t] += splat(at[t]) * d;
    }
  for (int t = 0; t < kTaps; ++t) store(sums + t * g.stored, acc[t]);
}

template <class T>
void weight_grad(const NarrowConvSpec& s, const float* narrow, const T* wide, float* dpacked, float* wide_sum,
                 float* workspace) {
  const Geometry g = geometry_of(s);
  const std::int64_t partial = (g.taps + 1) * g.stored, per_thread = partial + bordered_floats(s, g);
#pragma omp parallel num_threads(s.threads)
  {
    float* sums = workspace + omp_get_thread_num() * per_thread;
    float* bordered = sums + partial;
    for (std::int64_t i = 0; i < partial; ++i) sums[i] = 0;
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < s.wide.n; ++n) {
      add_border(s, g, narrow + n * g.narrow_sample, bordered);
      for (std::int64_t strip = 0; strip < g.strips; ++strip) {
        const T* from = wide + n * g.wide_sample + channel_offset(s.wide, strip * kLanes);
        float* at = sums + strip * kLanes;
        for (std::int64_t c = 0; c < s.narrow_channels; ++c)
          for (int ky = 0; ky < s.kernel_height; ++ky) {
            const float* corner = bordered + (c * g.border_height + ky) * g.border_width;
            int kx = 0;
            for (; kx + 3 <= s.kernel_width; kx += 3, at += 3 * g.stored)
              strip_products<3>(s, g, corner + kx, from, at);
            for (; kx < s.kernel_width; ++kx, at += g.stored) strip_products<1>(s, g, corner + kx, from, at);
          }
        Vec total = load(at);
        for (std::int64_t p = 0; p < s.wide.pixels; ++p) total += load(from + p * s.wide.block);
        store(at, total);
      }
    }
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < partial; ++i) {
      float total = 0;
      for (int thread = 0; thread < omp_get_num_threads(); ++thread)
        total += workspace[thread * per_thread + i];
      if (i < g.taps * g.stored)
        dpacked[i] = total;
      else if (wide_sum)
        wide_sum[i - g.taps * g.stored] = total;
    }
  }
}

}  // namespace

std::size_t narrow_workspace(const NarrowConvSpec& s) {
  const Geometry g = geometry_of(s);
  return std::size_t(((g.taps + 1) * g.stored + bordered_floats(s, g)) * s.threads);
}

void narrow_to_wide(const NarrowConvSpec& spec, const float* narrow, const float* packed, const float* bias,
                    void* wide, bool accumulate, float* workspace) {
  if (spec.bf16)
    to_wide(spec, narrow, packed, bias, static_cast<bf16*>(wide), accumulate, workspace);
  else
    to_wide(spec, narrow, packed, bias, static_cast<float*>(wide), accumulate, workspace);
}

void wide_to_narrow(const NarrowConvSpec& spec, const void* wide, const float* packed, const float* bias,
                    float* narrow, bool accumulate) {
  if (spec.bf16)
    to_narrow(spec, static_cast<const bf16*>(wide), packed, bias, narrow, accumulate);
  else
    to_narrow(spec, static_cast<const float*>(wide), packed, bias, narrow, accumulate);
}

void narrow_weight_grad(const NarrowConvSpec& spec, const float* narrow, const void* wide, float* dpacked,
                        float* wide_sum, float* workspace) {
  if (spec.bf16)
    weight_grad(spec, narrow, static_cast<const bf16*>(wide), dpacked, wide_sum, workspace);
  else
    weight_grad(spec, narrow, static_cast<const float*>(wide), dpacked, wide_sum, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
