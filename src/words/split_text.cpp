#include "words/split_text.h"

#include <algorithm>
#include <array>
#include <optional>

#include "words/characters.h"

namespace diffusion {

namespace {

std::u32string clean(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  bool after_space = false;
  for (const char32_t character : to_nfc(text)) {
    const bool space = class_of(character) == CharacterClass::white_space;
    if (!space || !after_space) out += space ? U' ' : character;
    after_space = space;
  }
  return to_lower(out);
}

// The size of the word at the beginning of `text`, which is clean, not empty, and begins with no space.
std::size_t word_size(std::u32string_view text) {
  constexpr std::array<std::u32string_view, 7> kEndings = {U"'s", U"'t",  U"'re", U"'ve",
                                                           U"'m", U"'ll", U"'d"};
  for (const std::u32string_view ending : kEndings)
    if (text.starts_with(ending)) return ending.size();
  const CharacterClass kind = class_of(text.front());
  if (kind == CharacterClass::number) return 1;
  const auto end =
      std::ranges::find_if(text, [&](char32_t character) { return class_of(character) != kind; });
  return std::size_t(end - text.begin());
}

void split_words(std::u32string_view text, std::vector<TextPiece>& pieces) {
  // CLIP's own special tokens end a word where they begin a word, even where they are no special tokens,
  // because their letters were capital: "<|ENDOFTEXT|>!" is <| endoftext |> !
  constexpr std::array<std::u32string_view, 2> kSpecial = {U"<|startoftext|>", U"<|endoftext|>"};
  const auto take = [&](std::size_t size) {
    pieces.push_back({utf8_of(text.substr(0, size))});
    text.remove_prefix(size);
  };
  while (!text.empty()) {
    if (text.front() == U' ') {
      text.remove_prefix(1);
      continue;
    }
    const auto special = std::ranges::find_if(kSpecial, [&](auto token) { return text.starts_with(token); });
    if (special == kSpecial.end()) {
      take(word_size(text));
      continue;
    }
    take(2);
    take(special->size() - 4);
    take(2);
  }
}

struct SpecialPattern {
  std::u32string text;
  int id;
};

// Calls `special` for the patterns in the text, from left to right, the longest where several begin at one
// place, and `other` for what lies between them.
template <class Special, class Other>
void for_each_part(std::u32string_view text, std::span<const SpecialPattern> patterns, Special special,
                   Other other) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const SpecialPattern* found = nullptr;
    for (const SpecialPattern& pattern : patterns)
      if (text.substr(at).starts_with(pattern.text) && (!found || pattern.text.size() > found->text.size()))
        found = &pattern;
    if (!found) {
      ++at;
      continue;
    }
    if (at > begin) other(text.substr(begin, at - begin));
    special(found->id);
    begin = at += found->text.size();
  }
  if (begin < text.size()) other(text.substr(begin));
}

std::vector<SpecialPattern> patterns_of(std::span<const SpecialText> specials, bool in_clean_text) {
  std::vector<SpecialPattern> patterns;
  for (const SpecialText& special : specials) {
    if (special.token.in_clean_text != in_clean_text) continue;
    const std::u32string text = utf32_of(special.text);
    patterns.push_back({in_clean_text ? clean(text) : text, special.token.id});
  }
  return patterns;
}

}  // namespace

std::string clean_text(std::string_view text) {
  return utf8_of(clean(utf32_of(text)));
}

std::vector<TextPiece> split_text(std::string_view text, std::span<const SpecialText> specials) {
  const std::vector<SpecialPattern> raw = patterns_of(specials, false), cleaned = patterns_of(specials, true);
  std::vector<TextPiece> pieces;
  const auto add_special = [&](int id) { pieces.push_back({{}, id}); };
  const auto add_words = [&](std::u32string_view words) { split_words(words, pieces); };
  for_each_part(utf32_of(text), raw, add_special, [&](std::u32string_view part) {
    for_each_part(clean(part), cleaned, add_special, add_words);
  });
  return pieces;
}

}  // namespace diffusion
