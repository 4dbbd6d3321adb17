#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace diffusion {

// Two neighbouring tokens become one.
struct Merge {
  int left = 0, right = 0, merged = 0;

  bool operator==(const Merge&) const = default;
};

// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): merges in the order in which they were
// learned.
class MergeRules {
 public:
  // Error(usage) if two merges have the same left and right.
  explicit MergeRules(std::span<const Merge> merges);

  // Merges the tokens of a word: always the pair whose merge comes first in the list, and of equal ones the
  // leftmost, until none is left. O(n log n).
  std::vector<int> merge(std::span<const int> word) const;

 private:
  struct Rule {
    std::size_t rank;
    int merged;
  };
  const Rule* find(int left, int right) const;

  std::unordered_map<std::uint64_t, Rule> rules_;
};

}  // namespace diffusion
