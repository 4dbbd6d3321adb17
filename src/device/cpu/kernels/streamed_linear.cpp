// The layers of embeddings with weights as a file has them: few rows, so that each weight is used a few times
// and reading it is what takes the time.

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/stored_weight.h"
#include "device/cpu/kernels/transpose.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

constexpr std::int64_t kDepth = 16 * kLanes;  // inputs whose weights are in flight
constexpr std::int64_t kRows = 8;             // rows of x that share them

// y[r][first output ...] for up to kRows rows. Every sum is made in the order of the inputs, as gemm() does.
template <class T>
void output_strip(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x, const T* weight,
                  std::int64_t first, float* y) {
  const std::int64_t known = first + kLanes < out ? kLanes : out - first;
  alignas(64) float strip[kLanes * kDepth] = {}, by_input[kDepth * kLanes];
  Vec sums[kRows] = {};
  for (std::int64_t i = 0; i < in; i += kDepth) {
    const std::int64_t depth = i + kDepth < in ? kDepth : in - i;
    for (std::int64_t o = 0; o < known; ++o)
      widen_row(weight + (first + o) * in + i, depth, strip + o * kDepth);
    transpose(kLanes, kDepth, strip, kDepth, by_input, kLanes);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* from = x + r * in + i;
      Vec total = sums[r];
      for (std::int64_t k = 0; k < depth; ++k) total += splat(from[k]) * load(by_input + k * kLanes);
      sums[r] = total;
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    float lanes[kLanes];
    store(lanes, sums[r]);
    for (std::int64_t o = 0; o < known; ++o) y[r * out + first + o] = lanes[o];
  }
}

}  // namespace

void widen(std::int64_t count, const StoredWeight& from, float* to, int threads) {
  constexpr std::int64_t kPart = 1 << 14;
  with_stored(from, [&](const auto* numbers) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (std::int64_t i = 0; i < count; i += kPart)
      widen_row(numbers + i, i + kPart < count ? kPart : count - i, to + i);
  });
}

void streamed_linear(std::int64_t rows, std::int64_t in, std::int64_t out, const float* x,
                     const StoredWeight& weight, float* y, int threads) {
  with_stored(weight, [&](const auto* numbers) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (std::int64_t o = 0; o < out; o += kLanes)
      for (std::int64_t r = 0; r < rows; r += kRows)
        output_strip(r + kRows < rows ? kRows : rows - r, in, out, x + r * in, numbers, o, y + r * out);
  });
}

}  // namespace diffusion::DIFFUSION_ISA
