#include "words/characters.h"

#include <diffusion/error.h>
#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <vector>

#include "base/utf8.h"

namespace diffusion {

namespace {

struct CharacterRange {
  char32_t first, last;
};

// Came with Unicode 15.1 and 16.
constexpr CharacterRange kNewLetters[] = {
    {0x1c89, 0x1c8a},   {0xa7cb, 0xa7cd},   {0xa7da, 0xa7dc},   {0x105c0, 0x105f3}, {0x10d4a, 0x10d65},
    {0x10d6f, 0x10d85}, {0x10ec2, 0x10ec4}, {0x11380, 0x11389}, {0x1138b, 0x1138b}, {0x1138e, 0x1138e},
    {0x11390, 0x113b5}, {0x113b7, 0x113b7}, {0x113d1, 0x113d1}, {0x113d3, 0x113d3}, {0x11bc0, 0x11be0},
    {0x13460, 0x143fa}, {0x16100, 0x1611d}, {0x16d40, 0x16d6c}, {0x18cff, 0x18cff}, {0x1e5d0, 0x1e5ed},
    {0x1e5f0, 0x1e5f0}, {0x2ebf0, 0x2ee5d}};
constexpr CharacterRange kNewNumbers[] = {{0x10d40, 0x10d49}, {0x116d0, 0x116e3}, {0x11bf0, 0x11bf9},
                                          {0x16130, 0x16139}, {0x16d70, 0x16d79}, {0x1ccf0, 0x1ccf9},
                                          {0x1e5f1, 0x1e5fa}};

// Capital letters of Unicode 16 and 17 that lie one after the other, and the lower case of the first.
struct CapitalRange {
  char32_t first, last, lower_of_first;
};
constexpr CapitalRange kNewCapitals[] = {{0x1c89, 0x1c89, 0x1c8a},    {0xa7cb, 0xa7cb, 0x0264},
                                         {0xa7cc, 0xa7cc, 0xa7cd},    {0xa7ce, 0xa7ce, 0xa7cf},
                                         {0xa7d2, 0xa7d2, 0xa7d3},    {0xa7d4, 0xa7d4, 0xa7d5},
                                         {0xa7da, 0xa7da, 0xa7db},    {0xa7dc, 0xa7dc, 0x019b},
                                         {0x10d50, 0x10d65, 0x10d70}, {0x16ea0, 0x16eb8, 0x16ebb}};

// Marks that came after Unicode 9. Its tables know no order and no composition of them, so what stands before
// and what stands after one of them are normalized apart.
constexpr CharacterRange kNewMarks[] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
    {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},
    {0xa82c, 0xa82c},   {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50},
    {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
    {0x11930, 0x11930}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34},
    {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97},
    {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
    {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}};

bool is_in(std::span<const CharacterRange> ranges, char32_t character) {
  const auto after = std::ranges::upper_bound(ranges, character, {}, &CharacterRange::first);
  return after != ranges.begin() && character <= std::prev(after)->last;
}

bool is_ascii(std::u32string_view text) {
  return std::ranges::all_of(text, [](char32_t c) { return c < 0x80; });
}

constexpr auto kComposed = utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE);

// Appends the canonical decomposition of the character.
void decompose(char32_t character, std::vector<utf8proc_int32_t>& out) {
  std::array<utf8proc_int32_t, 16> parts{};  // Unicode has none of more than 4
  const auto count =
      utf8proc_decompose_char(utf8proc_int32_t(character), parts.data(), parts.size(), kComposed, nullptr);
  out.insert(out.end(), parts.begin(), parts.begin() + count);
}

// Marks between two starters in canonical order, equal ones as they stood.
void order_marks(std::span<utf8proc_int32_t> characters) {
  const auto order_of = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  const auto is_mark = [&](utf8proc_int32_t c) { return order_of(c) != 0; };
  for (auto at = characters.begin(); at != characters.end();) {
    const auto first = std::find_if(at, characters.end(), is_mark);
    at = std::find_if_not(first, characters.end(), is_mark);
    std::stable_sort(first, at, [&](auto a, auto b) { return order_of(a) < order_of(b); });
  }
}

// Appends the composed form of decomposed characters, which it uses up.
void compose(std::vector<utf8proc_int32_t>& characters, std::u32string& out) {
  order_marks(characters);
  const auto count =
      utf8proc_normalize_utf32(characters.data(), utf8proc_ssize_t(characters.size()), kComposed);
  out.append(characters.begin(), characters.begin() + count);
  characters.clear();
}

// How many bytes at the beginning of a text, which begins with no whole character, could be a character's.
std::size_t broken_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t whole = lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::size_t size = 1;
  while (size < whole && size < text.size() && byte(size) >= least && byte(size) <= most) {
    ++size;
    least = 0x80, most = 0xbf;
  }
  return size;
}

}  // namespace

CharacterClass class_of(char32_t character) {
  switch (utf8proc_category(utf8proc_int32_t(character))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharacterClass::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharacterClass::number;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return CharacterClass::white_space;
    case UTF8PROC_CATEGORY_CC:
      return (character >= '\t' && character <= '\r') || character == 0x85 ? CharacterClass::white_space
                                                                           : CharacterClass::other;
    case UTF8PROC_CATEGORY_CN:
      if (is_in(kNewLetters, character)) return CharacterClass::letter;
      return is_in(kNewNumbers, character) ? CharacterClass::number : CharacterClass::other;
    default:
      return CharacterClass::other;
  }
}

std::u32string to_nfc(std::u32string_view text) {
  if (is_ascii(text)) return std::u32string(text);
  std::u32string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> decomposed;
  for (const char32_t character : text) {
    if (!is_in(kNewMarks, character)) {
      decompose(character, decomposed);
      continue;
    }
    compose(decomposed, out);
    out += character;
  }
  compose(decomposed, out);
  return out;
}

std::u32string to_lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t character : text) {
    if (character < 0x80) {
      out += character >= U'A' && character <= U'Z' ? character + (U'a' - U'A') : character;
      continue;
    }
    if (character == 0x130) {  // I with a dot above: the only one whose lower case is two characters
      out += U"i\u0307";
      continue;
    }
    const auto range = std::ranges::find_if(kNewCapitals, [&](const CapitalRange& capitals) {
      return character >= capitals.first && character <= capitals.last;
    });
    out += range != std::end(kNewCapitals) ? range->lower_of_first + (character - range->first)
                                           : char32_t(utf8proc_tolower(utf8proc_int32_t(character)));
  }
  return out;
}

std::u32string utf32_of(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const auto at = text.size() - rest.size();
    const auto character = take_code_point(rest);
    if (!character)
      throw Error(ErrorKind::usage,
                  fmt::format("The text is not UTF-8: byte {} of {} is 0x{:02x}, which begins no character.",
                              at, text.size(), static_cast<unsigned char>(text[at])));
    out += *character;
  }
  return out;
}

std::string replace_broken_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::string_view rest = text;
    const std::size_t size = take_code_point(rest) ? text.size() - rest.size() : 0;
    if (size > 0) {
      out += text.substr(0, size);
      text = rest;
    } else {
      out += "\uFFFD";
      text.remove_prefix(broken_size(text));
    }
  }
  return out;
}

std::string utf8_of(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t character : text) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto size = utf8proc_encode_char(utf8proc_int32_t(character), bytes.data());
    out.append(bytes.begin(), bytes.begin() + size);
  }
  return out;
}

}  // namespace diffusion
