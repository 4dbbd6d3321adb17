// One pass over flat parameter blocks: AdamW (Loshchilov and Hutter 2019) and the moving average of the
// weights.

#include <omp.h>

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr std::int64_t kChunk = 4096;

Vec square_root(Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  for (float& x : lanes) x = __builtin_sqrtf(x);
  return load(lanes);
}

}  // namespace

// Chunks are summed alone and then in order, so the result does not depend on threads.
double sum_of_squares(std::int64_t count, const float* x, int threads) {
  constexpr std::int64_t kGroup = 64;  // chunks in flight at a time
  double total = 0;
  const std::int64_t chunks = (count + kChunk - 1) / kChunk;
  for (std::int64_t group = 0; group < chunks; group += kGroup) {
    const std::int64_t end = group + kGroup < chunks ? group + kGroup : chunks;
    double part[kGroup];
#pragma omp parallel for schedule(static) num_threads(threads)
    for (std::int64_t chunk = group; chunk < end; ++chunk) {
      const std::int64_t first = chunk * kChunk, last = first + kChunk < count ? first + kChunk : count;
      double s = 0;
      for (std::int64_t i = first; i < last; ++i) s += double(x[i]) * double(x[i]);
      part[chunk - group] = s;
    }
    for (std::int64_t chunk = group; chunk < end; ++chunk) total += part[chunk - group];
  }
  return total;
}

void adamw(const AdamWSpec& spec, std::int64_t count, const float* gradient, float* value, float* moment1,
           float* moment2, float* ema, int threads) {
  const float scale = float(spec.gradient_scale), b1 = float(spec.beta1), b2 = float(spec.beta2);
  const float keep = float(1 - spec.learning_rate * spec.weight_decay);
  const float rate = float(spec.learning_rate / spec.correction1);
  const float root_correction = float(1 / __builtin_sqrt(spec.correction2)), eps = float(spec.eps);
  const float ema_keep = float(spec.ema_decay), ema_take = float(1 - spec.ema_decay);
  const std::int64_t chunks = (count + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int64_t first = chunk * kChunk, last = first + kChunk < count ? first + kChunk : count;
    std::int64_t i = first;
    for (; i + kLanes <= last; i += kLanes) {
      const Vec g = load(gradient + i) * splat(scale);
      const Vec m = splat(b1) * load(moment1 + i) + splat(1 - b1) * g;
      const Vec v = splat(b2) * load(moment2 + i) + splat(1 - b2) * (g * g);
      const Vec denominator = square_root(v) * splat(root_correction) + splat(eps);
      const Vec x = load(value + i) * splat(keep) - splat(rate) * m / denominator;
      store(moment1 + i, m);
      store(moment2 + i, v);
      store(value + i, x);
      store(ema + i, splat(ema_keep) * load(ema + i) + splat(ema_take) * x);
    }
    for (; i < last; ++i) {
      const float g = gradient[i] * scale;
      moment1[i] = b1 * moment1[i] + (1 - b1) * g;
      moment2[i] = b2 * moment2[i] + (1 - b2) * (g * g);
      value[i] = value[i] * keep - rate * moment1[i] / (__builtin_sqrtf(moment2[i]) * root_correction + eps);
      ema[i] = ema_keep * ema[i] + ema_take * value[i];
    }
  }
}

}  // namespace diffusion::DIFFUSION_ISA
