// Layer normalization over the channels of a pixel.

#include <omp.h>

#include <cmath>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

struct Geometry {
  std::int64_t pixels, sample, stored;
  int block, strips;
  float share;  // 1 / channels
};

Geometry geometry_of(const ChannelNormSpec& spec) {
  const BlockedShape& s = spec.shape;
  return {s.pixels,
          s.sample_elements(),
          s.stored_channels(),
          s.block,
          int(s.stored_channels() / kLanes),
          1.f / float(s.channels)};
}

// Where the channels of strip `i` of a pixel lie within its sample.
std::int64_t at(const BlockedShape& s, int strip, std::int64_t pixel) {
  return channel_offset(s, strip * kLanes) + pixel * s.block;
}

// 1 for channels, 0 for what only fills a block, per stored channel.
void fill_mask(const BlockedShape& s, float* mask) {
  for (std::int64_t c = 0; c < s.stored_channels(); ++c) mask[c] = c < s.channels ? 1.f : 0.f;
}

struct Statistics {
  float mean, inverse_deviation;
};

// Also writes x - mean, zero where there is no channel, to `centered` [stored channels].
template <class T>
Statistics statistics(const ChannelNormSpec& spec, const Geometry& g, const T* sample, std::int64_t pixel,
                      const float* mask, float* centered) {
  Vec total{};
  for (int i = 0; i < g.strips; ++i) {
    const Vec x = load(sample + at(spec.shape, i, pixel));
    store(centered + i * kLanes, x);
    total += x;
  }
  const float mean = sum(total) * g.share;
  Vec squares{};
  for (int i = 0; i < g.strips; ++i) {
    const Vec d = (load(centered + i * kLanes) - splat(mean)) * load(mask + i * kLanes);
    store(centered + i * kLanes, d);
    squares += d * d;
  }
  return {mean, 1.f / std::sqrt(sum(squares) * g.share + float(spec.eps))};
}

// Per thread: mask, padded gain, centered x, the sum for dgain, and padded bias or the sum for dbias.
constexpr int kRows = 5;

void start(const ChannelNormSpec& spec, const Geometry& g, const float* gain, const float* bias, float* w) {
  fill_mask(spec.shape, w);
  for (std::int64_t c = 0; c < g.stored; ++c) {
    w[g.stored + c] = c < spec.shape.channels ? gain[c] : 0.f;
    w[3 * g.stored + c] = 0;
    w[4 * g.stored + c] = bias && c < spec.shape.channels ? bias[c] : 0.f;
  }
}

template <class T>
void forward(const ChannelNormSpec& spec, const T* x, const float* gain, const float* bias, T* y,
             float* workspace) {
  const Geometry g = geometry_of(spec);
#pragma omp parallel num_threads(spec.threads)
  {
    float* w = workspace + omp_get_thread_num() * kRows * g.stored;
    start(spec, g, gain, bias, w);
    float* centered = w + 2 * g.stored;
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < spec.shape.n * g.pixels; ++job) {
      const std::int64_t n = job / g.pixels, p = job % g.pixels;
      const Vec r = splat(statistics(spec, g, x + n * g.sample, p, w, centered).inverse_deviation);
      for (int i = 0; i < g.strips; ++i) {
        const Vec scaled = load(centered + i * kLanes) * r * load(w + g.stored + i * kLanes);
        store(y + n * g.sample + at(spec.shape, i, p),
              bias ? scaled + load(w + 4 * g.stored + i * kLanes) : scaled);
      }
    }
  }
}

// With xhat = (x - mean) r and d = gain dy: dx = r (d - mean(d) - xhat mean(d xhat)), dgain = sum of dy xhat,
// dbias = sum of dy.
template <class T>
void backward(const ChannelNormSpec& spec, const T* x, const float* gain, const T* dy,
              const ChannelNormGrad& grad, float* workspace) {
  T* dx = static_cast<T*>(grad.dx);
  const Geometry g = geometry_of(spec);
#pragma omp parallel num_threads(spec.threads)
  {
    float* w = workspace + omp_get_thread_num() * kRows * g.stored;
    start(spec, g, gain, nullptr, w);
    float *centered = w + 2 * g.stored, *sum_dgain = w + 3 * g.stored, *sum_dbias = w + 4 * g.stored;
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < spec.shape.n * g.pixels; ++job) {
      const std::int64_t n = job / g.pixels, p = job % g.pixels;
      const Vec r = splat(statistics(spec, g, x + n * g.sample, p, w, centered).inverse_deviation);
      Vec total{}, product{};
      for (int i = 0; i < g.strips; ++i) {
        const Vec dyi = load(dy + n * g.sample + at(spec.shape, i, p)),
                  xhat = load(centered + i * kLanes) * r;
        const Vec d = dyi * load(w + g.stored + i * kLanes);
        store(centered + i * kLanes, xhat);
        store(sum_dgain + i * kLanes, load(sum_dgain + i * kLanes) + dyi * xhat);
        if (grad.dbias) store(sum_dbias + i * kLanes, load(sum_dbias + i * kLanes) + dyi);
        total += d;
        product += d * xhat;
      }
      if (!dx) continue;
      const Vec mean_d = splat(sum(total) * g.share), mean_product = splat(sum(product) * g.share);
      for (int i = 0; i < g.strips; ++i) {
        const Vec d = load(dy + n * g.sample + at(spec.shape, i, p)) * load(w + g.stored + i * kLanes);
        const Vec dxi = r * (d - mean_d - load(centered + i * kLanes) * mean_product) * load(w + i * kLanes);
        T* to = dx + n * g.sample + at(spec.shape, i, p);
        store(to, grad.accumulate_dx ? load(to) + dxi : dxi);
      }
    }
#pragma omp single
    for (int row = 3; row < kRows; ++row)
      if (float* sum = row == 3 ? grad.dgain : grad.dbias)
        for (int thread = 0; thread < omp_get_num_threads(); ++thread)
          for (std::int64_t c = 0; c < spec.shape.channels; ++c)
            sum[c] += workspace[(thread * kRows + row) * g.stored + c];
  }
}

}  // namespace

std::size_t channel_norm_workspace(const ChannelNormSpec& spec) {
  return std::size_t(kRows * spec.shape.stored_channels() * spec.threads);
}

void channel_norm_forward(const ChannelNormSpec& spec, const void* x, const float* gain, const float* bias,
                          void* y, float* workspace) {
  if (spec.bf16)
    forward(spec, static_cast<const bf16*>(x), gain, bias, static_cast<bf16*>(y), workspace);
  else
    forward(spec, static_cast<const float*>(x), gain, bias, static_cast<float*>(y), workspace);
}

void channel_norm_backward(const ChannelNormSpec& spec, const void* x, const float* gain, const void* dy,
                           const ChannelNormGrad& grad, float* workspace) {
  if (spec.bf16)
    backward(spec, static_cast<const bf16*>(x), gain, static_cast<const bf16*>(dy), grad, workspace);
  else
    backward(spec, static_cast<const float*>(x), gain, static_cast<const float*>(dy), grad, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
