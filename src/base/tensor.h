#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace diffusion {

enum class DType : std::uint8_t { f32, bf16, f64, f16 };  // f16: of parameters alone

constexpr std::size_t size_of(DType dtype) {
  return dtype == DType::f64 ? 8 : dtype == DType::f32 ? 4 : 2;
}

// Logical extent of every activation and weight: [N, C, H, W]. A vector per sample is [N, C, 1, 1]; a
// convolution weight is [Cout, Cin, KH, KW]; a linear weight is [out, in, 1, 1]; a bias is [1, C, 1, 1].
struct Shape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;

  std::int64_t pixels() const { return h * w; }
  std::int64_t elements() const { return n * c * h * w; }
  bool operator==(const Shape&) const = default;
};

std::string to_string(const Shape& shape);  // "[64, 1, 28, 28]"

// Physical form of a tensor. Channels are cut into blocks of `channel_block`; memory is
// [N, ceil(C / channel_block), H, W, channel_block], and channels beyond C are zero. So 1 is plain NCHW,
// C is channels-last, and 8 or 16 are the vector-friendly forms of the CPU device.
struct Format {
  DType dtype = DType::f32;
  int channel_block = 1;
  bool operator==(const Format&) const = default;
};

struct TensorDesc {
  Shape shape;
  Format format;

  std::int64_t blocks() const { return (shape.c + format.channel_block - 1) / format.channel_block; }
  // Elements in memory, zero channels included.
  std::int64_t stored_elements() const { return shape.n * blocks() * format.channel_block * shape.pixels(); }
  std::size_t bytes() const { return std::size_t(stored_elements()) * size_of(format.dtype); }
  // Element offset of (n, c, pixel).
  std::int64_t offset(std::int64_t n, std::int64_t c, std::int64_t pixel) const {
    const std::int64_t b = format.channel_block;
    return ((n * blocks() + c / b) * shape.pixels() + pixel) * b + c % b;
  }
  bool operator==(const TensorDesc&) const = default;
};

// A non-owning view. Whoever made the memory (Plan, LearnedParams, a test) keeps it alive.
struct Tensor {
  TensorDesc desc;
  void* data = nullptr;  // an address in the memory of the device that the tensor is on

  const Shape& shape() const { return desc.shape; }
  // The address as a pointer: only for kernels of the device that the tensor is on. Everybody else writes and
  // reads numbers through the device's queue (device/queue.h), whose work may not be done yet and whose
  // memory the host may not be able to see.
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Flat blocks: `count` plain f32 numbers, [1, count, 1, 1], and the `count` from number `begin` on of one.
Tensor flat_block(void* data, std::size_t count);
Tensor flat_part(const Tensor& block, std::size_t begin, std::size_t count);

// bf16 is the upper half of an f32; rounding is to nearest, ties to even; NaN stays NaN.
std::uint16_t to_bf16(float value);
float from_bf16(std::uint16_t bits);

// Element access in any format, for reference code and tests.
double load(const Tensor& tensor, std::int64_t n, std::int64_t c, std::int64_t pixel);
void store(const Tensor& tensor, std::int64_t n, std::int64_t c, std::int64_t pixel, double value);

// Copies values between any two formats of one shape, and zeroes the channels that only fill a block.
void convert(const Tensor& from, const Tensor& to);

}  // namespace diffusion
