#include "train/slice_sums.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/pair_sums.h"

namespace diffusion {

std::vector<SliceRange> tree_nodes(const SliceRange& range, int slices) {
  std::vector<SliceRange> nodes;
  for (int first = range.first; first < range.end(); first = nodes.back().end()) {
    int width = int(std::bit_ceil(unsigned(slices)));
    while (first % width != 0 || std::min(first + width, slices) > range.end()) width /= 2;
    nodes.push_back({first, std::min(width, slices - first)});
  }
  return nodes;
}

std::span<float> SliceSums::place_of(const SliceRange& node) {
  return nodes_.insert_or_assign(node.first, Node{node.count, std::vector<float>(numbers_)})
      .first->second.numbers;
}

// Of the slices from `first` to first + width - 1 that there are; width is a power of two.
std::vector<float>& SliceSums::sum_of(int first, int width) {
  Node& node = nodes_.at(first);
  if (node.count >= std::min(width, slices_ - first)) return node.numbers;
  std::vector<float>& sum = sum_of(first, width / 2);
  const int second = first + width / 2;
  if (second < slices_) {
    const std::array blocks{sum.data(), sum_of(second, width / 2).data()};
    add_in_pairs(blocks, 0, numbers_);
  }
  return sum;
}

std::span<const float> SliceSums::total() {
  return sum_of(0, int(std::bit_ceil(unsigned(slices_))));
}

}  // namespace diffusion
