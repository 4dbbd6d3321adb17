#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

namespace diffusion {

// Neighboring slices of a batch.
struct SliceRange {
  int first = 0, count = 0;

  int end() const { return first + count; }
  bool operator==(const SliceRange&) const = default;
};

// The largest nodes of the binary tree over `slices` slices (base/pair_sums.h) that lie in `range`, in their
// order.
std::vector<SliceRange> tree_nodes(const SliceRange& range, int slices);

// Some numbers of the sum over all slices, made of the sums over nodes of the tree that others have computed,
// with the bits of a sum over all slices at one place.
class SliceSums {
 public:
  SliceSums(int slices, std::size_t numbers) : slices_(slices), numbers_(numbers) {}

  // Where the numbers of a node belong. The nodes must make up the tree.
  std::span<float> place_of(const SliceRange& node);

  // Overwrites the nodes.
  std::span<const float> total();

 private:
  struct Node {
    int count;
    std::vector<float> numbers;
  };

  std::vector<float>& sum_of(int first, int width);

  int slices_;
  std::size_t numbers_;
  std::map<int, Node> nodes_;  // by their first slice
};

}  // namespace diffusion
