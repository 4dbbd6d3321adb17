#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "words/tokenizer.h"

namespace diffusion {

// The folder tokenizer/ of a pipeline, as transformers has it:
//   vocab.json               {"<token>": <id>}; ids are 0 to n - 1, each once
//   merges.txt               a line "#version: 0.2", then a line a merge: two tokens and a space between
//   tokenizer_config.json    special tokens, model_max_length, tokenizer_class CLIPTokenizer
//   special_tokens_map.json  special tokens, too, in older folders
//   tokenizer.json           vocabulary and merges in one, instead of the first two: what transformers 5
//   saves.
//                            Where it is, transformers and we read it and not those
//   words.txt                ours, optional: the words of the training captions, sorted, a line a word
// Read is what decides the ids in transformers 5; what would decide them and is not ours (more special
// tokens, tokens beyond the vocabulary, padding on the left) is refused.

// Error(bad_input) names the folder, or file and line or field, with what was found and what is accepted;
// Error(io) where the system cannot read.
Tokenizer read_tokenizer(const std::filesystem::path& folder);

// Makes the folder if there is none and writes vocab.json, merges.txt, tokenizer_config.json,
// special_tokens_map.json and, if words are known, words.txt. Not as a whole: for a folder in an
// AtomicDirectory.
void write_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

// The contents of the files; nothing for one that is absent.
struct TokenizerTexts {
  std::optional<std::string> vocab, merges, config, special_tokens_map, tokenizer, words;
};

// What read_tokenizer() does after reading. `folder` is for messages.
Tokenizer parse_tokenizer(const TokenizerTexts& texts, const std::filesystem::path& folder);
TokenizerTexts tokenizer_texts(const Tokenizer& tokenizer);

}  // namespace diffusion
