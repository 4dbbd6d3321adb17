#pragma once

#include <optional>
#include <string_view>

namespace diffusion {

// Removes the first code point from `text` (not empty) and returns it; nothing if `text` does not start with
// well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::optional<char32_t> take_code_point(std::string_view& text);

bool is_utf8(std::string_view text);

}  // namespace diffusion
