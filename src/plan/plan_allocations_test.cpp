// A program of its own: it replaces operator new, which in diffusion_tests would take memory out of
// AddressSanitizer's sight in every test.

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include "base/rng.h"
#include "plan/plan.h"

namespace {

std::atomic<long> allocation_count = 0;

void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) noexcept {
  ++allocation_count;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  if (void* p = allocate(size, alignment)) return p;
  throw std::bad_alloc();
}

}  // namespace

// Every form that the standard's own array and nothrow forms do not pass on. Not inlined: GCC would see
// free() meet a pointer from operator new, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate_or_throw(size);
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, std::size_t(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  return allocate(size, std::size_t(alignment));
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(p);
}

namespace diffusion {
namespace {

std::vector<float> noise(std::int64_t count, std::uint32_t sample) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_normal({1, Stream::train_noise, sample, 0}, values);
  return values;
}

TEST(PlanAllocations, AreCounted) {
  const long before = allocation_count;
  const std::string text(100, 'x');  // too long for the string itself
  EXPECT_EQ(allocation_count - before, 1);
}

// Everything but convolutions, inside which oneDNN allocates.
TEST(PlanAllocations, LoopsAllocateNothing) {
  Graph g;
  const Value x = g.input("x", {2, 96, 8, 8}), t = g.input("t", {2, 1, 1, 1});
  const auto param = [&](const char* name, Shape shape) {
    return g.param({{{name, {shape.elements()}}}, {Init::Kind::normal, 0.1}}, shape);
  };
  const Value time = g.add(TimestepEmbedding{16}, {t}, "time");
  const Value shift =
      g.add(Linear{}, {time, param("w", {96, 16, 1, 1}), param("b", {1, 96, 1, 1})}, "linear");
  const Value norm = g.add(GroupNorm{8, 1e-5, Activation::silu, Modulation::shift_before},
                           {x, param("gamma", {1, 96, 1, 1}), param("beta", {1, 96, 1, 1}), shift}, "norm");
  const Value attention = g.add(Attention{2}, {norm}, "attention");
  const Value active = g.add(Activate{}, {attention}, "active");
  const Value both = g.add(Concat{}, {g.add(Add{}, {attention, active}, "sum"), active}, "both");
  const Value out = g.add(Upsample{}, {both}, "out");
  ParamStore params{ParamLayout(g)};
  params.initialize(1);
  const auto device = make_cpu_device(Precision::f32);
  const LearnedParams learned(params, *device);
  Plan plan(g, out, *device, Mode::training, learned, {.poison = false});
  plan.write_input(x, noise(2 * 96 * 64, 0));
  plan.write_input(t, std::vector<float>{1, 2});
  const std::vector<float> dy = noise(g.shape(out).elements(), 1);
  plan.forward();
  plan.backward(dy);  // whatever is made on first use exists now
  const long before = allocation_count;
  plan.forward();
  plan.backward(dy);
  EXPECT_EQ(allocation_count - before, 0);
}

}  // namespace
}  // namespace diffusion
