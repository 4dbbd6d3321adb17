#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace diffusion {

// For each of `captions` which of `among` has most words in common with it (words_of(), each counted once):
// what a model answers that knows pictures by their whole captions and is asked for another one. Of several
// such one is taken by `seed`. Error(usage) if `among` is empty.
std::vector<int> most_words_in_common(std::span<const std::string> captions,
                                      std::span<const std::string> among, std::uint64_t seed);

}  // namespace diffusion
