#include "profile/machine_peak.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/buffer.h"
#include "device/cpu/kernel_table.h"

namespace diffusion {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRepeats = 8;
constexpr std::size_t kCopyBytes = std::size_t(128) << 20;

// The best rate of several runs of `work`, which every thread does once and which returns what it did.
template <class Work>
double best_rate(Work work) {
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    double done = 0;
    const auto start = Clock::now();
#pragma omp parallel reduction(+ : done)
    done += work();
    best = std::max(best, done / std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double arithmetic_rate(double (*multiply_adds)(std::int64_t, float*)) {
  if (!multiply_adds) return 0;
  constexpr std::int64_t kRounds = 2'000'000;  // 10 to 50 ms
  return best_rate([&] {
    float data[64] = {};
    return multiply_adds(kRounds, data);
  });
}

}  // namespace

MachinePeak measure_machine_peak() {
  const KernelTable& table = cpu_kernel_table();
  Buffer<std::byte> from(kCopyBytes), to(kCopyBytes);
  const double copied = best_rate([&] {
    const std::size_t share = kCopyBytes / std::size_t(omp_get_num_threads());
    const std::size_t begin = share * std::size_t(omp_get_thread_num());
    std::memcpy(to.data() + begin, from.data() + begin, share);
    return 2 * double(share);
  });
  return {arithmetic_rate(table.multiply_adds_f32), arithmetic_rate(table.multiply_adds_bf16), copied};
}

}  // namespace diffusion
