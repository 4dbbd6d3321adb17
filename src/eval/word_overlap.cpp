#include "eval/word_overlap.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include <diffusion/error.h>
#include "base/rng.h"
#include "data/caption_report.h"

namespace diffusion {

namespace {

std::set<std::string> distinct_words(const std::string& caption) {
  const std::vector<std::string> words = words_of(caption);
  return {words.begin(), words.end()};
}

}  // namespace

std::vector<int> most_words_in_common(std::span<const std::string> captions,
                                      std::span<const std::string> among, std::uint64_t seed) {
  if (among.empty()) throw Error(ErrorKind::usage, "there are no captions to find words in");
  std::vector<std::set<std::string>> words;
  for (const std::string& caption : among) words.push_back(distinct_words(caption));
  std::vector<int> result;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    const std::set<std::string> wanted = distinct_words(captions[i]);
    std::vector<int> best;
    std::ptrdiff_t most = -1;
    for (std::size_t k = 0; k < words.size(); ++k) {
      const auto common =
          std::ranges::count_if(wanted, [&](const std::string& word) { return words[k].contains(word); });
      if (common > most) best.clear();
      most = std::max(most, common);
      if (common == most) best.push_back(int(k));
    }
    result.push_back(
        best[uniform_below({seed, Stream::shuffle, std::uint32_t(i), 0}, std::uint32_t(best.size()))]);
  }
  return result;
}

}  // namespace diffusion
