#include "data/byte_fields.h"

namespace diffusion {

void FieldWriter::number(std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) bytes_.push_back(std::uint8_t(value >> 8 * i));
}

void FieldWriter::text(const std::string& value) {
  number(value.size(), 4);
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

std::span<const std::uint8_t> FieldReader::take(std::size_t bytes) {
  if (bytes > rest_.size()) {
    fits_ = false;
    rest_ = {};
    return {};
  }
  const auto taken = rest_.first(bytes);
  rest_ = rest_.subspan(bytes);
  return taken;
}

std::uint64_t FieldReader::number(int bytes) {
  std::uint64_t value = 0;
  int shift = 0;
  for (const std::uint8_t byte : take(std::size_t(bytes))) {
    value |= std::uint64_t(byte) << shift;
    shift += 8;
  }
  return value;
}

std::string FieldReader::text() {
  const auto bytes = take(std::size_t(number(4)));
  return {bytes.begin(), bytes.end()};
}

std::size_t FieldReader::count(std::size_t least_bytes) {
  const std::uint64_t items = number();
  if (items <= rest_.size() / least_bytes) return std::size_t(items);
  fits_ = false;
  rest_ = {};
  return 0;
}

}  // namespace diffusion
