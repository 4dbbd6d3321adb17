#include "serve/base64.h"

#include <array>
#include <cstdint>

namespace diffusion::serve {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t k = 0; k < kDigits.size(); ++k)
    values[static_cast<unsigned char>(kDigits[k])] = std::int8_t(k);
  return values;
}();

}  // namespace

std::string to_base64(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t k = 0; k < bytes.size(); k += 3) {
    const std::size_t left = bytes.size() - k;
    const auto byte = [&](std::size_t i) { return i < left ? std::uint32_t(bytes[k + i]) : 0u; };
    const std::uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (std::size_t digit = 0; digit < 4; ++digit)
      text += digit <= left ? kDigits[bits >> (18 - 6 * digit) & 63] : '=';
  }
  return text;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return {};
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char digit : text) {
    const int value = kValues[static_cast<unsigned char>(digit)];
    if (value < 0) return {};
    bits = bits << 6 | std::uint32_t(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(std::byte(bits >> count & 255));
  }
  if ((bits & ((1u << count) - 1)) != 0) return {};  // two texts for the same bytes
  return bytes;
}

}  // namespace diffusion::serve
