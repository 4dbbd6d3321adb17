#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace diffusion {

// A 64-bit hash for noticing that something changed, the same on every machine; about 3 GB/s. Not for
// security. Each add() is one item: add("ab") add("c") and add("a") add("bc") differ.
class ContentHash {
 public:
  void add(std::uint64_t number);
  void add(std::span<const std::uint8_t> bytes);
  void add(std::string_view text);
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15;  // any odd number does
};

std::uint64_t hash_of(std::span<const std::uint8_t> bytes);

}  // namespace diffusion
