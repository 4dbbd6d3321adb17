#include "base/utf8.h"

#include <array>
#include <bit>
#include <cstddef>

namespace diffusion {

std::optional<char32_t> take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(0);
  if (lead < 0x80) {
    text.remove_prefix(1);
    return lead;
  }
  // 110xxxxx starts two bytes, 1110xxxx three, 11110xxx four.
  const auto size = std::size_t(std::countl_one(lead));
  if (size < 2 || size > 4 || text.size() < size) return std::nullopt;
  char32_t code_point = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    code_point = (code_point << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[size] || surrogate || code_point > 0x10ffff) return std::nullopt;
  text.remove_prefix(size);
  return code_point;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_code_point(text)) return false;
  }
  return true;
}

}  // namespace diffusion
