#pragma once

#include <diffusion/captions.h>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diffusion {

// The words of a text as they are counted: what stands between white space, without punctuation around it
// unless it is nothing else, ASCII letters small.
std::vector<std::string> words_of(std::string_view text);

// What there is to know about captions before training on them.
struct CaptionReport {
  std::int64_t captions = 0, words = 0;
  std::vector<std::pair<std::size_t, int>> images_with;  // number of captions, and images that have it
  std::vector<std::pair<std::string, std::int64_t>> word_counts;  // most frequent first, then by their bytes
  struct Longest {
    int image = 0;
    std::string text;
    std::size_t characters = 0, words = 0;
  } longest;  // by characters (code points), the first of these
};

CaptionReport report_on(const Captions& captions);

}  // namespace diffusion
