#include "data/caption_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/utf8.h"

namespace diffusion {

namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// ASCII's, and the dashes, quotes and marks of other scripts' common block (General Punctuation).
bool is_punctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~') || c == U'\u00ab' || c == U'\u00bb' || (c >= U'\u2010' && c <= U'\u2027') ||
         (c >= U'\u2030' && c <= U'\u205e');
}

std::string plain_word(std::string_view word) {
  // From the first character that is none to the last.
  std::size_t begin = word.size(), end = 0;
  for (std::string_view rest = word; !rest.empty();) {
    const std::size_t place = word.size() - rest.size();
    const std::optional<char32_t> character = take_code_point(rest);
    if (!character) rest.remove_prefix(1);
    if (character && is_punctuation(*character)) continue;
    begin = std::min(begin, place);
    end = word.size() - rest.size();
  }
  std::string plain(begin < end ? word.substr(begin, end - begin) : word);
  for (char& c : plain)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return plain;
}

std::size_t characters_of(std::string_view utf8) {
  return std::size_t(std::ranges::count_if(utf8, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const auto begin = std::ranges::find_if_not(text, is_space);
    if (begin == text.end()) return words;
    const auto end = std::find_if(begin, text.end(), is_space);
    words.push_back(plain_word({begin, end}));
    text = {end, text.end()};
  }
}

CaptionReport report_on(const Captions& captions) {
  CaptionReport report;
  std::map<std::size_t, int> images_with;
  std::unordered_map<std::string, std::int64_t> counts;
  for (int i = 0; i < captions.images(); ++i) {
    const std::size_t count = captions.count(i);
    ++images_with[count];
    report.captions += std::int64_t(count);
    for (std::size_t k = 0; k < count; ++k) {
      const std::string_view text = captions.text(i, k);
      std::vector<std::string> words = words_of(text);
      report.words += std::int64_t(words.size());
      if (const std::size_t characters = characters_of(text); characters > report.longest.characters)
        report.longest = {i, std::string(text), characters, words.size()};
      for (std::string& word : words) ++counts[std::move(word)];
    }
  }
  report.images_with.assign(images_with.begin(), images_with.end());
  report.word_counts.assign(counts.begin(), counts.end());
  std::ranges::sort(report.word_counts, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return report;
}

}  // namespace diffusion
