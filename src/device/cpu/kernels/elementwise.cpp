// Flat loops: sums, activations, resampling, rounding.

#include <omp.h>

#include "device/cpu/kernels/gemm.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr std::int64_t kChunk = 16384;  // elements per unit of parallel work; a multiple of kLanes

// body(at, vector) for whole vectors; the last partial vector goes through a buffer.
template <class Body>
void for_chunks(std::int64_t count, int threads, Body body) {
  const std::int64_t chunks = (count + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) num_threads(threads) if (chunks > 1)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int64_t first = chunk * kChunk, end = first + kChunk < count ? first + kChunk : count;
    body(first, end);
  }
}

// body(sample, first, count) for chunks of every sample's `size` elements.
template <class Body>
void for_runs(std::int64_t samples, std::int64_t size, int threads, Body body) {
  const std::int64_t chunks = (size + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) num_threads(threads) if (samples * chunks > 1)
  for (std::int64_t job = 0; job < samples * chunks; ++job) {
    const std::int64_t n = job / chunks, first = job % chunks * kChunk;
    body(n, first, first + kChunk < size ? kChunk : size - first);
  }
}

// out[i] = f(a[i], b[i]) over [first, end).
template <class T, class F>
void map(std::int64_t first, std::int64_t end, const T* a, const T* b, T* out, F f) {
  std::int64_t i = first;
  for (; i + kLanes <= end; i += kLanes) store(out + i, f(load(a + i), load(b + i)));
  if (i == end) return;
  T left[kLanes] = {}, right[kLanes] = {}, result[kLanes];
  for (std::int64_t k = i; k < end; ++k) {
    left[k - i] = a[k];
    right[k - i] = b[k];
  }
  store(result, f(load(left), load(right)));
  for (std::int64_t k = i; k < end; ++k) out[k] = result[k - i];
}

template <class T, class F>
void map_all(std::int64_t count, int threads, const void* a, const void* b, void* out, F f) {
  for_chunks(count, threads, [&](std::int64_t first, std::int64_t end) {
    map(first, end, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(out), f);
  });
}

template <class F>
void map_any(bool is_bf16, std::int64_t count, int threads, const void* a, const void* b, void* out, F f) {
  is_bf16 ? map_all<bf16>(count, threads, a, b, out, f) : map_all<float>(count, threads, a, b, out, f);
}

template <class T>
void upsample_planes(std::int64_t planes, std::int64_t height, std::int64_t width, int block, const T* small,
                     T* large, float factor, bool accumulate, int threads) {
  const Vec f = splat(factor);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t row = 0; row < planes * height; ++row) {
    const T* from = small + row * width * block;
    T* top = large + 4 * (row / height) * height * width * block + 4 * (row % height) * width * block;
    T* bottom = top + 2 * width * block;
    for (std::int64_t x = 0; x < width; ++x)
      for (int c = 0; c < block; c += kLanes) {
        const Vec v = load(from + x * block + c) * f;
        const auto put = [&](T* to) { store(to, accumulate ? load(to) + v : v); };
        const std::int64_t left = 2 * x * block + c, right = left + block;
        put(top + left);
        put(top + right);
        put(bottom + left);
        put(bottom + right);
      }
  }
}

template <class T>
void downsample_planes(std::int64_t planes, std::int64_t height, std::int64_t width, int block,
                       const T* large, T* small, float factor, bool accumulate, int threads) {
  const Vec f = splat(factor);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t row = 0; row < planes * height; ++row) {
    T* to = small + row * width * block;
    const T* top = large + 4 * (row / height) * height * width * block + 4 * (row % height) * width * block;
    const T* bottom = top + 2 * width * block;
    for (std::int64_t x = 0; x < width; ++x)
      for (int c = 0; c < block; c += kLanes) {
        const std::int64_t left = 2 * x * block + c, right = left + block;
        const Vec v =
            ((load(top + left) + load(top + right)) + (load(bottom + left) + load(bottom + right))) * f;
        store(to + x * block + c, accumulate ? load(to + x * block + c) + v : v);
      }
  }
}

// y = a act(g).
template <Activation kind, class T>
void gate_run(std::int64_t count, const T* a, const T* g, T* y) {
  map(0, count, a, g, y, [](Vec x, Vec z) { return x * activate<kind, T>(z); });
}

// da = dy act(g), dg = dy a act'(g).
template <Activation kind, class T>
void gate_backward_run(std::int64_t count, std::int64_t half, const T* a, const T* dy, T* da,
                       bool accumulate) {
  const T* g = a + half;
  T* dg = da + half;
  const auto put = [&](T* to, Vec v) { store(to, accumulate ? load(to) + v : v); };
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const Vec d = load(dy + i), z = load(g + i);
    put(da + i, d * activate<kind, T>(z));
    put(dg + i, d * load(a + i) * activate_slope<kind, T>(z));
  }
}

}  // namespace

void add(std::int64_t count, bool is_bf16, const void* a, const void* b, float factor, void* out,
         int threads) {
  const Vec f = splat(factor);
  map_any(is_bf16, count, threads, a, b, out, [=](Vec x, Vec y) { return (x + y) * f; });
}

void scale(std::int64_t count, bool is_bf16, const void* from, float factor, void* to, bool accumulate,
           int threads) {
  const Vec f = splat(factor);
  if (accumulate)
    map_any(is_bf16, count, threads, from, to, to, [=](Vec x, Vec old) { return old + x * f; });
  else
    map_any(is_bf16, count, threads, from, from, to, [=](Vec x, Vec) { return x * f; });
}

void activate_flat(std::int64_t count, bool is_bf16, Activation kind, const void* x, void* y, int threads) {
  with_activation(kind, [&]<Activation k>() {
    const auto body = [&]<class T>() {
      map_all<T>(count, threads, x, x, y, [](Vec v, Vec) { return activate<k, T>(v); });
    };
    is_bf16 ? body.template operator()<bf16>() : body.template operator()<float>();
  });
}

void activate_backward_flat(std::int64_t count, bool is_bf16, Activation kind, const void* x, const void* dy,
                            void* dx, bool accumulate, int threads) {
  with_activation(kind, [&]<Activation k>() {
    const auto body = [&]<class T>() {
      for_chunks(count, threads, [&](std::int64_t first, std::int64_t end) {
        T product[kChunk];
        const T *from = static_cast<const T*>(x) + first, *slope_of = static_cast<const T*>(dy) + first;
        T* to = static_cast<T*>(dx) + first;
        const auto slope = [](Vec v, Vec d) { return activate_slope<k, T>(v) * d; };
        map(0, end - first, from, slope_of, accumulate ? product : to, slope);
        if (accumulate)
          map(0, end - first, static_cast<const T*>(product), static_cast<const T*>(to), to,
              [](Vec p, Vec old) { return old + p; });
      });
    };
    is_bf16 ? body.template operator()<bf16>() : body.template operator()<float>();
  });
}

void gate(std::int64_t samples, std::int64_t half, bool is_bf16, Activation kind, const void* x, void* y,
          int threads) {
  with_activation(kind, [&]<Activation k>() {
    const auto body = [&]<class T>() {
      for_runs(samples, half, threads, [&](std::int64_t n, std::int64_t first, std::int64_t count) {
        const T* a = static_cast<const T*>(x) + 2 * n * half + first;
        gate_run<k, T>(count, a, a + half, static_cast<T*>(y) + n * half + first);
      });
    };
    is_bf16 ? body.template operator()<bf16>() : body.template operator()<float>();
  });
}

void gate_backward(std::int64_t samples, std::int64_t half, bool is_bf16, Activation kind, const void* x,
                   const void* dy, void* dx, bool accumulate, int threads) {
  with_activation(kind, [&]<Activation k>() {
    const auto body = [&]<class T>() {
      for_runs(samples, half, threads, [&](std::int64_t n, std::int64_t first, std::int64_t count) {
        const std::int64_t at = 2 * n * half + first;
        gate_backward_run<k, T>(count, half, static_cast<const T*>(x) + at,
                                static_cast<const T*>(dy) + n * half + first, static_cast<T*>(dx) + at,
                                accumulate);
      });
    };
    is_bf16 ? body.template operator()<bf16>() : body.template operator()<float>();
  });
}

void upsample(std::int64_t planes, std::int64_t height, std::int64_t width, int block, bool is_bf16,
              const void* small, void* large, float factor, bool accumulate, int threads) {
  if (is_bf16)
    upsample_planes(planes, height, width, block, static_cast<const bf16*>(small), static_cast<bf16*>(large),
                    factor, accumulate, threads);
  else
    upsample_planes(planes, height, width, block, static_cast<const float*>(small),
                    static_cast<float*>(large), factor, accumulate, threads);
}

void downsample_sum(std::int64_t planes, std::int64_t height, std::int64_t width, int block, bool is_bf16,
                    const void* large, void* small, float factor, bool accumulate, int threads) {
  if (is_bf16)
    downsample_planes(planes, height, width, block, static_cast<const bf16*>(large),
                      static_cast<bf16*>(small), factor, accumulate, threads);
  else
    downsample_planes(planes, height, width, block, static_cast<const float*>(large),
                      static_cast<float*>(small), factor, accumulate, threads);
}

void round_to_bf16(std::int64_t count, const float* from, std::uint16_t* to) {
  auto* out = reinterpret_cast<bf16*>(to);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, load(from + i));
  for (; i < count; ++i) store_one(out + i, from[i]);
}

void gemm_strided(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t row_stride,
                  std::int64_t column_stride, const float* b, std::int64_t ldb, float* c, std::int64_t ldc,
                  bool accumulate) {
  gemm(m, n, {a, row_stride, column_stride, b, ldb, c, ldc, k, accumulate});
}

}  // namespace diffusion::DIFFUSION_ISA
