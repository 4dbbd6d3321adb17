#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace diffusion {

// The word that was probably meant: the nearest by edits of one character (insert, delete, replace, swap
// neighbors), if it takes at most one edit for every three characters.
std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> words);

}  // namespace diffusion
