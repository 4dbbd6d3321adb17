#pragma once

#include <optional>
#include <string_view>

#include "formats/json.h"
#include "words/tokenizer.h"

namespace diffusion {

// The files that say which tokens are special; nullptr for one that is absent.
struct SpecialTokenFiles {
  const Json* config = nullptr;                                  // tokenizer_config.json
  const Json* map = nullptr;                                     // special_tokens_map.json
  const Json* added_tokens = nullptr;                            // the field of that name in tokenizer.json
  std::string_view config_source, map_source, tokenizer_source;  // for messages
};

// Sets start, end, padding, unknown and max_length of a vocabulary, which has its tokens, by the rules of
// transformers 5: special_tokens_map.json goes before tokenizer_config.json, unless that has
// added_tokens_decoder. Absent tokens are CLIP's. Error(bad_input) names file and field, what was found and
// what is accepted: also for what would change ids and that we do not have.
void read_special_tokens(const SpecialTokenFiles& files, Vocabulary& vocabulary);

// tokenizer_config.json, special_tokens_map.json.
Json tokenizer_config(const Vocabulary& vocabulary);
Json special_tokens_map(const Vocabulary& vocabulary);

}  // namespace diffusion
