#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace diffusion {

// Numbers and strings one after the other, little-endian: for files that only we read.
class FieldWriter {
 public:
  void number(std::uint64_t value, int bytes = 8);
  void text(const std::string& value);
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

// Reads them back. After anything that does not fit, complete() is false and everything read is 0 or empty.
class FieldReader {
 public:
  explicit FieldReader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  std::uint64_t number(int bytes = 8);
  std::string text();
  // A number of items that follow, of which each has at least `least_bytes`: never more than can be there.
  std::size_t count(std::size_t least_bytes);

  // Everything was read, and all of it was there.
  bool complete() const { return fits_ && rest_.empty(); }

 private:
  std::span<const std::uint8_t> take(std::size_t bytes);

  std::span<const std::uint8_t> rest_;
  bool fits_ = true;
};

}  // namespace diffusion
