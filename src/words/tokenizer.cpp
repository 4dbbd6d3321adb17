#include "words/tokenizer.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "words/byte_symbols.h"
#include "words/characters.h"

namespace diffusion {

namespace {

std::array<SpecialToken, 4> special_tokens(const Vocabulary& vocabulary) {
  return {vocabulary.start, vocabulary.end, vocabulary.padding, vocabulary.unknown};
}

Vocabulary checked(Vocabulary vocabulary) {
  const auto check = [&](int id, std::string_view what) {
    if (id < 0 || std::size_t(id) >= vocabulary.tokens.size())
      throw Error(ErrorKind::usage, fmt::format("{} token {}; the vocabulary has {} tokens.", what, id,
                                                vocabulary.tokens.size()));
  };
  for (const SpecialToken& special : special_tokens(vocabulary)) {
    check(special.id, "A special token is");
    if (vocabulary.tokens[std::size_t(special.id)].empty())
      throw Error(ErrorKind::usage, fmt::format("The special token {} has no letters.", special.id));
  }
  for (const Merge& merge : vocabulary.merges)
    for (const int id : {merge.left, merge.right, merge.merged}) check(id, "A merge names");
  return vocabulary;
}

// Each special token once.
std::vector<SpecialText> special_texts(const Vocabulary& vocabulary) {
  std::vector<SpecialText> texts;
  for (const SpecialToken& special : special_tokens(vocabulary))
    if (std::ranges::find(texts, special.id, [](const SpecialText& text) { return text.token.id; }) ==
        texts.end())
      texts.push_back({vocabulary.tokens[std::size_t(special.id)], special});
  return texts;
}

bool is_stripped(char32_t character) {
  // As Python's str.strip().
  return class_of(character) == CharacterClass::white_space || (character >= 0x1c && character <= 0x1f);
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary)
    : vocabulary_(checked(std::move(vocabulary))),
      rules_(vocabulary_.merges),
      specials_(special_texts(vocabulary_)),
      inner_bytes_(256, vocabulary_.unknown.id),
      last_bytes_(256, vocabulary_.unknown.id) {
  for (std::size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
    std::string_view token = vocabulary_.tokens[id];
    if (token.size() > 2 + kWordEnd.size()) continue;
    const bool last = token.size() > kWordEnd.size() && token.ends_with(kWordEnd);
    if (last) token.remove_suffix(kWordEnd.size());
    const std::optional<std::string> bytes = spelled_bytes(token);
    if (!bytes || bytes->size() != 1) continue;
    (last ? last_bytes_ : inner_bytes_)[static_cast<unsigned char>(bytes->front())] = int(id);
  }
}

bool Tokenizer::is_special(int id) const {
  return std::ranges::any_of(specials_, [&](const SpecialText& special) { return special.token.id == id; });
}

std::vector<int> Tokenizer::bytes_of(std::string_view word) const {
  std::vector<int> ids;
  for (const char byte : word) ids.push_back(inner_bytes_[static_cast<unsigned char>(byte)]);
  ids.back() = last_bytes_[static_cast<unsigned char>(word.back())];
  return ids;
}

std::vector<int> Tokenizer::token_ids(std::string_view text) const {
  std::vector<int> ids;
  for (const TextPiece& piece : split_text(text, specials_)) {
    if (piece.word.empty()) {
      ids.push_back(piece.special);
      continue;
    }
    const std::vector<int> tokens = rules_.merge(bytes_of(piece.word));
    ids.insert(ids.end(), tokens.begin(), tokens.end());
  }
  return ids;
}

std::vector<int> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids = token_ids(text);
  ids.insert(ids.begin(), vocabulary_.start.id);
  ids.push_back(vocabulary_.end.id);
  return ids;
}

PaddedTokens Tokenizer::encode_padded(std::string_view text, int length) const {
  if (length < 2)
    throw Error(ErrorKind::usage,
                fmt::format("A text cannot be encoded in {} tokens; start and end need 2.", length));
  PaddedTokens padded{encode(text)};
  const auto size = std::size_t(length);
  if (padded.ids.size() > size) {
    padded.cut = int(padded.ids.size() - size);
    padded.ids.resize(size);
    padded.ids.back() = vocabulary_.end.id;
  }
  padded.used = int(padded.ids.size());
  padded.ids.resize(size, vocabulary_.padding.id);
  return padded;
}

std::string Tokenizer::decode(std::span<const int> ids) const {
  std::string bytes;
  for (const int id : ids) {
    if (id < 0 || std::size_t(id) >= size())
      throw Error(ErrorKind::usage,
                  fmt::format("{} is the id of no token; accepted are 0 to {}.", id, size() - 1));
    if (is_special(id)) continue;
    const std::string& token = vocabulary_.tokens[std::size_t(id)];
    bytes += spelled_bytes(token).value_or(token);
  }
  std::string text = replace_broken_utf8(bytes);
  for (std::size_t at = 0; (at = text.find(kWordEnd, at)) != text.npos; ++at)
    text.replace(at, kWordEnd.size(), " ");
  std::u32string characters = utf32_of(text);
  while (!characters.empty() && is_stripped(characters.back())) characters.pop_back();
  const auto first = std::ranges::find_if_not(characters, is_stripped);
  return utf8_of({first, characters.end()});
}

std::vector<std::string> Tokenizer::unseen_words(std::string_view text) const {
  std::vector<std::string> unseen;
  const std::vector<std::string>& known = vocabulary_.known_words;
  if (known.empty()) return unseen;
  for (TextPiece& piece : split_text(text, specials_))
    if (!piece.word.empty() && !std::ranges::binary_search(known, piece.word) &&
        std::ranges::find(unseen, piece.word) == unseen.end())
      unseen.push_back(std::move(piece.word));
  return unseen;
}

}  // namespace diffusion
