// The files of a tokenizer, with a NUL byte between: vocab.json, merges.txt, tokenizer_config.json,
// special_tokens_map.json, tokenizer.json, words.txt. An empty one is absent. What is read encodes the input.
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "fuzz_input.h"
#include "words/tokenizer_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz::expect_only_bad_input(fuzz::kSourceName, [&] {
    TokenizerTexts texts;
    std::string_view rest = input;
    for (auto* text : {&texts.vocab, &texts.merges, &texts.config, &texts.special_tokens_map,
                       &texts.tokenizer, &texts.words}) {
      const std::string_view part = rest.substr(0, rest.find('\0'));
      if (!part.empty()) *text = part;
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
    const Tokenizer tokenizer = parse_tokenizer(texts, fuzz::kSourceName);
    if (!is_utf8(input)) return;
    tokenizer.decode(tokenizer.encode(input));
    tokenizer.unseen_words(input);
    parse_tokenizer(tokenizer_texts(tokenizer), fuzz::kSourceName);
  });
  return 0;
}
