#include "plan/arena_planner.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace diffusion {

namespace {

bool meet(const Lifetime& a, const Lifetime& b) {
  const auto overlap = [](int first, int last, int other_first, int other_last) {
    return first <= last && other_first <= other_last && first <= other_last && other_first <= last;
  };
  return overlap(a.first, a.last, b.first, b.last) || overlap(a.first, a.last, b.again_first, b.again_last) ||
         overlap(a.again_first, a.again_last, b.first, b.last) ||
         overlap(a.again_first, a.again_last, b.again_first, b.again_last);
}

}  // namespace

std::size_t plan_offsets(std::span<Lifetime> blocks, std::size_t alignment) {
  constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  const auto end_of = [&](const Lifetime& b) {
    return b.offset + (b.size + alignment - 1) / alignment * alignment;
  };

  std::vector<std::size_t> largest_first(blocks.size());
  std::iota(largest_first.begin(), largest_first.end(), 0);
  std::ranges::stable_sort(largest_first,
                           [&](std::size_t a, std::size_t b) { return blocks[a].size > blocks[b].size; });

  std::vector<const Lifetime*> placed;  // by offset
  std::size_t total = 0;
  for (std::size_t index : largest_first) {
    Lifetime& block = blocks[index];
    std::size_t free_from = 0, best = kNowhere, best_gap = kNowhere;
    for (const Lifetime* other : placed) {
      if (!meet(*other, block)) continue;
      if (free_from + block.size <= other->offset && other->offset - free_from < best_gap) {
        best = free_from;
        best_gap = other->offset - free_from;
      }
      free_from = std::max(free_from, end_of(*other));
    }
    block.offset = best == kNowhere ? free_from : best;
    placed.insert(
        std::ranges::upper_bound(placed, block.offset, {}, [](const Lifetime* b) { return b->offset; }),
        &block);
    total = std::max(total, end_of(block));
  }
  return total;
}

}  // namespace diffusion
