#include "data/content_hash.h"

namespace diffusion {

namespace {

// Little-endian on every machine.
std::uint64_t word_of(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) word |= std::uint64_t(bytes[i]) << 8 * i;
  return word;
}

std::uint64_t full_word_of(const std::uint8_t* b) {  // compilers make one load of it
  return std::uint64_t(b[0]) | std::uint64_t(b[1]) << 8 | std::uint64_t(b[2]) << 16 |
         std::uint64_t(b[3]) << 24 | std::uint64_t(b[4]) << 32 | std::uint64_t(b[5]) << 40 |
         std::uint64_t(b[6]) << 48 | std::uint64_t(b[7]) << 56;
}

}  // namespace

// Both steps are one-to-one, so two items that differ in one word never meet: the multiplication carries
// changes up, the shift carries them down again.
void ContentHash::add(std::uint64_t number) {
  state_ = (state_ ^ number) * 0xd6e8feb86659fd93;
  state_ ^= state_ >> 32;
}

void ContentHash::add(std::span<const std::uint8_t> bytes) {
  add(std::uint64_t(bytes.size()));
  const std::size_t whole = bytes.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) add(full_word_of(bytes.data() + i));
  if (whole < bytes.size()) add(word_of(bytes.data() + whole, bytes.size() - whole));
}

void ContentHash::add(std::string_view text) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::uint64_t hash_of(std::span<const std::uint8_t> bytes) {
  ContentHash hash;
  hash.add(bytes);
  return hash.value();
}

}  // namespace diffusion
