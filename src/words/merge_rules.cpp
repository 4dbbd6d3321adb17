#include "words/merge_rules.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <queue>
#include <tuple>

namespace diffusion {

namespace {

constexpr std::size_t kNone = std::size_t(-1);

std::uint64_t pair_key(int left, int right) {
  return (std::uint64_t(std::uint32_t(left)) << 32) | std::uint32_t(right);
}

// The tokens of a word as a list, so that merging two takes no time.
struct WordPart {
  int token;
  std::size_t before, after;  // kNone at the ends
  bool alive = true;
};

struct Candidate {
  std::size_t rank, place;  // place: of the left part
  int merged;

  bool operator>(const Candidate& other) const {
    return std::tie(rank, place) > std::tie(other.rank, other.place);
  }
};

}  // namespace

MergeRules::MergeRules(std::span<const Merge> merges) {
  rules_.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right, merged] = merges[rank];
    if (!rules_.emplace(pair_key(left, right), Rule{rank, merged}).second)
      throw Error(ErrorKind::usage, fmt::format("Two merges are of the tokens {} and {}.", left, right));
  }
}

const MergeRules::Rule* MergeRules::find(int left, int right) const {
  const auto found = rules_.find(pair_key(left, right));
  return found == rules_.end() ? nullptr : &found->second;
}

std::vector<int> MergeRules::merge(std::span<const int> word) const {
  std::vector<WordPart> parts;
  for (std::size_t i = 0; i < word.size(); ++i)
    parts.push_back({word[i], i == 0 ? kNone : i - 1, i + 1 == word.size() ? kNone : i + 1});

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](std::size_t left) {
    if (left == kNone || parts[left].after == kNone) return;
    if (const Rule* rule = find(parts[left].token, parts[parts[left].after].token))
      candidates.push({rule->rank, left, rule->merged});
  };
  for (std::size_t i = 0; i < parts.size(); ++i) consider(i);

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    WordPart& left = parts[best.place];
    if (!left.alive || left.after == kNone) continue;
    // A merge since then may have changed either part. Another pair that gives the same token is as good
    // (files learned by others may have two), which is what tokenizers does.
    WordPart& right = parts[left.after];
    const Rule* rule = find(left.token, right.token);
    if (!rule || rule->merged != best.merged) continue;
    left.token = best.merged;
    left.after = right.after;
    right.alive = false;
    if (left.after != kNone) parts[left.after].before = best.place;
    consider(left.before);
    consider(best.place);
  }

  std::vector<int> merged;
  for (const WordPart& part : parts)
    if (part.alive) merged.push_back(part.token);
  return merged;
}

}  // namespace diffusion
