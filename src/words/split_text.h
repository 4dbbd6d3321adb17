#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

// CLIP's own special tokens.
inline constexpr std::string_view kStartText = "<|startoftext|>", kEndText = "<|endoftext|>";

// A token that is no word but a command to the model: written out in a text, it is found there as a whole.
struct SpecialToken {
  int id = 0;
  // Where it is looked for: in clean text, so that <|EndOfText|> is found, too, or in the text as it is.
  // Files call this "normalized".
  bool in_clean_text = false;

  bool operator==(const SpecialToken&) const = default;
};

struct SpecialText {
  std::string text;
  SpecialToken token;
};

// Normalization form C, runs of white space as one space, lower case; UTF-8. Error(usage) with the place of
// the bad byte if `text` is not UTF-8.
std::string clean_text(std::string_view text);

// A word of a text, clean, in UTF-8; or, if `word` is empty, a special token.
struct TextPiece {
  std::string word;
  int special = -1;  // its id

  bool operator==(const TextPiece&) const = default;
};

// Cleans a text and splits it as CLIP does. A word is one of the endings 's 't 're 've 'm 'll 'd, or as many
// letters as there are, or one digit, or as many characters as there are that are neither letters nor digits
// nor white space. Accents that are characters of their own are such. White space separates, and is dropped.
// Error(usage) with the place of the bad byte if `text` is not UTF-8.
std::vector<TextPiece> split_text(std::string_view text, std::span<const SpecialText> specials);

}  // namespace diffusion
