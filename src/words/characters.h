#pragma once

#include <string>
#include <string_view>

namespace diffusion {

// What the tokenizer asks of Unicode, answered as the tokenizers library of Hugging Face does (0.23). It
// takes its tables from three places and three ages of Unicode: composition is that of Unicode 9, classes of
// characters are those of 16, lower case is that of 17. libutf8proc has one age (15 in Debian 12);
// characters.cpp lists the differences.

enum class CharacterClass { letter, number, white_space, other };  // \p{L}, \p{N}, \s, the rest

CharacterClass class_of(char32_t character);

// Normalization form C: e followed by a combining acute accent becomes one character.
std::u32string to_nfc(std::u32string_view text);

// Lower case, character by character: no rule looks at neighbours (a final sigma is a sigma).
std::u32string to_lower(std::u32string_view text);

// Error(usage) with the place of the first bad byte, counting from 0, if `text` is not UTF-8.
std::u32string utf32_of(std::string_view text);
std::string utf8_of(std::u32string_view text);

// The text with U+FFFD for each longest beginning of a character that breaks off, and for each byte that
// begins none (the Unicode standard, 3.9, "substitution of maximal subparts").
std::string replace_broken_utf8(std::string_view text);

}  // namespace diffusion
