#pragma once

#include <span>
#include <string>

#include "words/tokenizer.h"

namespace diffusion {

// The 256 bytes within and at the end of a word, start and end: with these every text can be told.
inline constexpr int kSmallestVocabulary = 2 * 256 + 2;

struct TokenizerTraining {
  int vocabulary = 4096;  // tokens at most, at least kSmallestVocabulary
  int least_count = 2;    // a pair that occurs less often is not merged, at least 1
  int max_length = 77;    // of the model's input, at least 2
};

// Learns the merges from captions: again and again the pair of neighbouring tokens that occurs most often in
// the words becomes a token; of pairs that occur equally often, the one whose left token has the smaller id,
// then whose right token has. So the result is a function of the words and their counts, not of the order of
// the captions. Ids are those of CLIP: 256 bytes, 256 bytes that end a word, merges as they were learned,
// start, end; end is the padding and the unknown token, too.
// Error(usage) if a setting is out of its range, or a caption (named by its number, from 0) is not UTF-8.
Tokenizer train_tokenizer(std::span<const std::string> captions, const TokenizerTraining& settings = {});

}  // namespace diffusion
