#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <diffusion/captions.h>
#include "words/tokenizer.h"

namespace diffusion {

// The tokens of all captions of a data set, and of no words, made once. Texts of the same tokens are one row;
// row 0 is the empty text, and the others come in the order of the captions.
class CaptionTokens {
 public:
  // Each text in `length` tokens. `captions` must outlive this.
  CaptionTokens(const Captions& captions, const Tokenizer& tokenizer, int length);

  std::size_t rows() const { return tokens_.size() / length_; }
  std::size_t length() const { return length_; }
  std::span<const float> tokens(std::size_t row) const {
    return std::span(tokens_).subspan(row * length_, length_);
  }
  std::span<const float> all() const { return tokens_; }  // [rows, length]

  // Of one of the captions, or of an empty text.
  std::size_t row_of(std::string_view text) const { return rows_.at(text); }

 private:
  std::size_t length_;
  std::vector<float> tokens_;
  std::unordered_map<std::string_view, std::uint32_t> rows_;
};

}  // namespace diffusion
