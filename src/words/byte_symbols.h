#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace diffusion {

// Byte-level tokens are spelled with one character a byte, so that every token can be seen and none has a
// space: printable characters of Latin-1 stand for their own bytes, U+0100 and on for the other 68, in order.
// A token that ends a word has "</w>" behind it.
inline constexpr std::string_view kWordEnd = "</w>";

// The symbol of the byte, UTF-8.
std::string_view byte_symbol(unsigned char byte);

// The byte of the symbol number 0 to 255 in the order of CLIP's vocabulary: those that stand for themselves
// come first.
unsigned char byte_in_order(int number);

// The bytes that a token spells; "</w>" counts as four symbols. Nothing if it has a character that is no
// symbol, or is not UTF-8.
std::optional<std::string> spelled_bytes(std::string_view token);

}  // namespace diffusion
