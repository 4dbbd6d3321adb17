// The gradient of a depthwise convolution's weights: for each channel and tap a sum over all pixels. Work
// goes by strips of kLanes channels of one sample; both images of a strip are first copied to f32, the input
// with its border.

#include <omp.h>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr int kTile =
    4;  // columns of dy taken together: each column of x that is loaded meets up to kTile of them

struct Geometry {
  int strips, taps;
  std::int64_t padded_width, padded_rows, padded_dy_width;
};

Geometry geometry_of(const DepthwiseSpec& s) {
  const std::int64_t dy_width = (s.width + kTile - 1) / kTile * kTile;
  return {int(s.shape.stored_channels() / kLanes), s.kernel * s.kernel, dy_width + s.kernel - 1,
          s.height + s.kernel - 1, dy_width};
}

std::int64_t thread_floats(const DepthwiseSpec& s) {
  const Geometry g = geometry_of(s);
  return (g.padded_width * g.padded_rows + g.padded_dy_width * s.height + g.strips * (g.taps + 1)) * kLanes;
}

// A strip of an image as f32 vectors, `top` zero rows above and `left` zero columns before it.
template <class T>
void copy_padded(const DepthwiseSpec& s, const T* strip, std::int64_t rows, std::int64_t width, int top,
                 int left, float* to) {
  for (std::int64_t y = 0; y < rows; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t from_y = y - top, from_x = x - left;
      const bool inside = from_y >= 0 && from_y < s.height && from_x >= 0 && from_x < s.width;
      store(to + (y * width + x) * kLanes,
            inside ? load(strip + (from_y * s.width + from_x) * s.shape.block) : Vec{});
    }
}

// sums[tap] += sum over the pixels of row y of x[y + ky][column + kx] dy[y][column]
template <int kernel>
void add_row(const float* x, std::int64_t x_width, const float* dy, std::int64_t dy_width, float* sums) {
  for (int ky = 0; ky < kernel; ++ky) {
    const float* row = x + ky * x_width * kLanes;
    Vec acc[kernel];
    for (int kx = 0; kx < kernel; ++kx) acc[kx] = load(sums + (ky * kernel + kx) * kLanes);
    for (std::int64_t column = 0; column < dy_width; column += kTile) {
      Vec d[kTile];
      for (int i = 0; i < kTile; ++i) d[i] = load(dy + (column + i) * kLanes);
      for (int j = 0; j < kTile + kernel - 1; ++j) {
        const Vec value = load(row + (column + j) * kLanes);
        for (int i = 0; i < kTile; ++i)
          if (j - i >= 0 && j - i < kernel) acc[j - i] += value * d[i];
      }
    }
    for (int kx = 0; kx < kernel; ++kx) store(sums + (ky * kernel + kx) * kLanes, acc[kx]);
  }
}

template <class T, int kernel>
void weight_grad(const DepthwiseSpec& s, const T* x, const T* dy, float* dweight, float* dbias,
                 float* workspace) {
  const Geometry g = geometry_of(s);
  const std::int64_t per_thread = thread_floats(s), sums_size = g.strips * (g.taps + 1) * kLanes;
#pragma omp parallel num_threads(s.threads)
  {
    float* sums = workspace + omp_get_thread_num() * per_thread;  // [strip][taps, then the sum of dy]
    float* padded_x = sums + sums_size;
    float* padded_dy = padded_x + g.padded_width * g.padded_rows * kLanes;
    for (std::int64_t i = 0; i < sums_size; ++i) sums[i] = 0;
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < s.shape.n * g.strips; ++job) {
      const std::int64_t n = job / g.strips, strip = job % g.strips;
      const std::int64_t at = n * s.shape.sample_elements() + channel_offset(s.shape, strip * kLanes);
      copy_padded(s, x + at, g.padded_rows, g.padded_width, s.pad, s.pad, padded_x);
      copy_padded(s, dy + at, s.height, g.padded_dy_width, 0, 0, padded_dy);
      float* own = sums + strip * (g.taps + 1) * kLanes;
      Vec total = load(own + g.taps * kLanes);
      for (std::int64_t y = 0; y < s.height; ++y) {
        const float* dy_row = padded_dy + y * g.padded_dy_width * kLanes;
        add_row<kernel>(padded_x + y * g.padded_width * kLanes, g.padded_width, dy_row, g.padded_dy_width,
                        own);
        for (std::int64_t column = 0; column < s.width; ++column) total += load(dy_row + column * kLanes);
      }
      store(own + g.taps * kLanes, total);
    }
#pragma omp single
    for (int thread = 0; thread < omp_get_num_threads(); ++thread)
      for (std::int64_t c = 0; c < s.shape.channels; ++c) {
        const float* own = workspace + thread * per_thread + c / kLanes * (g.taps + 1) * kLanes + c % kLanes;
        for (int tap = 0; tap < g.taps; ++tap) dweight[c * g.taps + tap] += own[tap * kLanes];
        if (dbias) dbias[c] += own[g.taps * kLanes];
      }
  }
}

template <class T>
void weight_grad(const DepthwiseSpec& s, const void* x, const void* dy, float* dweight, float* dbias,
                 float* workspace) {
  const T *from = static_cast<const T*>(x), *grad = static_cast<const T*>(dy);
  if (s.kernel == 3) return weight_grad<T, 3>(s, from, grad, dweight, dbias, workspace);
  if (s.kernel == 5) return weight_grad<T, 5>(s, from, grad, dweight, dbias, workspace);
  weight_grad<T, 7>(s, from, grad, dweight, dbias, workspace);
}

}  // namespace

std::size_t depthwise_workspace(const DepthwiseSpec& spec) {
  return std::size_t(thread_floats(spec) * spec.threads);
}

void depthwise_weight_grad(const DepthwiseSpec& spec, const void* x, const void* dy, float* dweight,
                           float* dbias, float* workspace) {
  if (spec.bf16)
    weight_grad<bf16>(spec, x, dy, dweight, dbias, workspace);
  else
    weight_grad<float>(spec, x, dy, dweight, dbias, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
