#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "words/merge_rules.h"
#include "words/split_text.h"

namespace diffusion {

// What the files of a tokenizer say.
struct Vocabulary {
  std::vector<std::string> tokens;            // by id, spelled in the symbols of words/byte_symbols.h
  std::vector<Merge> merges;                  // what is merged first comes first
  SpecialToken start, end, padding, unknown;  // several may be the same token
  std::optional<int> max_length;  // of the model's input, with start and end; nothing: the files set no limit
  // The words of the captions from which it was learned, sorted; empty if the files do not tell.
  std::vector<std::string> known_words;

  bool operator==(const Vocabulary&) const = default;
};

struct PaddedTokens {
  std::vector<int> ids;  // [length]: start, tokens, end, padding
  int used = 0;          // ids before the padding, with start and end
  int cut = 0;           // tokens of the text that had no place
};

// CLIP's tokenizer: byte-level byte-pair encoding of lower-cased words (Radford et al. 2021,
// arXiv:2103.00020). A value; const functions may be called by several threads at once. It gives the ids of
// the class CLIPTokenizer of transformers 5 with the same files.
class Tokenizer {
 public:
  // Error(usage) if ids are not those of tokens, or two merges have the same parts.
  explicit Tokenizer(Vocabulary vocabulary);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::size_t size() const { return vocabulary_.tokens.size(); }

  // Start, the text's tokens, end: what a text encoder reads. A text may be empty, and as long as one likes.
  // Error(usage) with the place of the bad byte if it is not UTF-8.
  std::vector<int> encode(std::string_view text) const;

  // The same in exactly `length` ids, at least 2: filled with padding, or cut and ended.
  PaddedTokens encode_padded(std::string_view text, int length) const;

  // The clean text, with a space between words; start, end, padding and unknown are left out. Bytes that are
  // no character become U+FFFD. Error(usage) for an id of no token.
  std::string decode(std::span<const int> ids) const;

  // The words of a text (words/split_text.h) that the captions never contained, each once, in the order of
  // the text. None if the files do not tell what the captions contained.
  std::vector<std::string> unseen_words(std::string_view text) const;

  bool operator==(const Tokenizer& other) const { return vocabulary_ == other.vocabulary_; }

 private:
  std::vector<int> token_ids(std::string_view text) const;
  std::vector<int> bytes_of(std::string_view word) const;
  bool is_special(int id) const;

  Vocabulary vocabulary_;
  MergeRules rules_;
  std::vector<SpecialText> specials_;
  std::vector<int> inner_bytes_, last_bytes_;  // the token of each byte, within and at the end of a word
};

}  // namespace diffusion
