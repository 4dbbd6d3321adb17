#include "train/caption_tokens.h"

#include <map>

namespace diffusion {

CaptionTokens::CaptionTokens(const Captions& captions, const Tokenizer& tokenizer, int length)
    : length_(std::size_t(length)) {
  std::map<std::vector<int>, std::uint32_t> row_of_ids;
  const auto add = [&](std::string_view text) {
    const auto [entry, is_new_text] = rows_.try_emplace(text);
    if (!is_new_text) return;
    const PaddedTokens padded = tokenizer.encode_padded(text, length);
    const auto [row, is_new_row] = row_of_ids.try_emplace(padded.ids, std::uint32_t(row_of_ids.size()));
    if (is_new_row) tokens_.insert(tokens_.end(), padded.ids.begin(), padded.ids.end());
    entry->second = row->second;
  };
  add("");
  for (int i = 0; i < captions.images(); ++i)
    for (std::size_t k = 0; k < captions.count(i); ++k) add(captions.text(i, k));
}

}  // namespace diffusion
