#include "base/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

#include <diffusion/error.h>
#include "base/float16.h"

namespace diffusion {

std::string to_string(const Shape& s) {
  return fmt::format("[{}, {}, {}, {}]", s.n, s.c, s.h, s.w);
}

Tensor flat_block(void* data, std::size_t count) {
  return {{{1, std::int64_t(count), 1, 1}, {DType::f32, 1}}, data};
}

Tensor flat_part(const Tensor& block, std::size_t begin, std::size_t count) {
  return flat_block(static_cast<std::byte*>(block.data) + begin * sizeof(float), count);
}

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return std::uint16_t(bits >> 16 | 0x40);
  return std::uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t(bits) << 16);
}

namespace {

double load_at(const Tensor& t, std::int64_t i) {
  switch (t.desc.format.dtype) {
    case DType::f64:
      return t.as<double>()[i];
    case DType::f32:
      return t.as<float>()[i];
    case DType::bf16:
      return from_bf16(t.as<std::uint16_t>()[i]);
    case DType::f16:
      return from_f16(t.as<std::uint16_t>()[i]);
  }
  return 0;
}

void store_at(const Tensor& t, std::int64_t i, double value) {
  switch (t.desc.format.dtype) {
    case DType::f64:
      t.as<double>()[i] = value;
      return;
    case DType::f32:
      t.as<float>()[i] = float(value);
      return;
    case DType::bf16:
      t.as<std::uint16_t>()[i] = to_bf16(float(value));
      return;
    case DType::f16:
      t.as<std::uint16_t>()[i] = to_f16(float(value));
      return;
  }
}

}  // namespace

double load(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t pixel) {
  return load_at(t, t.desc.offset(n, c, pixel));
}

void store(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t pixel, double value) {
  store_at(t, t.desc.offset(n, c, pixel), value);
}

void convert(const Tensor& from, const Tensor& to) {
  if (!(from.shape() == to.shape()))
    throw Error(ErrorKind::internal, fmt::format("convert: shapes differ, {} and {}", to_string(from.shape()),
                                                 to_string(to.shape())));
  if (from.desc.format == to.desc.format) {
    std::copy_n(from.as<const std::byte>(), to.desc.bytes(), to.as<std::byte>());
    return;
  }
  const Shape& s = from.shape();
  const std::int64_t stored_channels = to.desc.blocks() * to.desc.format.channel_block;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < stored_channels; ++c)
      for (std::int64_t p = 0; p < s.pixels(); ++p) store(to, n, c, p, c < s.c ? load(from, n, c, p) : 0.0);
}

}  // namespace diffusion
