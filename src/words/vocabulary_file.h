#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "words/merge_rules.h"

namespace diffusion {

// The parts of a tokenizer's files that list tokens. Error(bad_input) names `source`, what was found and what
// is accepted.

// {"<token>": <id>} to tokens by id.
std::vector<std::string> tokens_from_json(const Json& json, std::string_view source);

// merges.txt, and the same as a list: ["a b", ...] or [["a", "b"], ...].
std::vector<Merge> merges_from_text(std::string_view text, const std::vector<std::string>& tokens,
                                    std::string_view source);
std::vector<Merge> merges_from_json(const Json& json, const std::vector<std::string>& tokens,
                                    std::string_view source);

// words.txt.
std::vector<std::string> words_from_text(std::string_view text, std::string_view source);

}  // namespace diffusion
