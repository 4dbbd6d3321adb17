#pragma once

#include <cstddef>
#include <span>

namespace diffusion {

// A block that must hold its bytes from time `first` to time `last`, both inclusive.
struct Lifetime {
  std::size_t size = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;  // the planner's answer
  // And other bytes, a second time, after `last`; none if it ends before it begins.
  int again_first = 0, again_last = -1;
};

// Chooses offsets, multiples of `alignment`, such that blocks alive at the same time never overlap. Returns
// the bytes needed. Greedy by size: the largest block first, each into the smallest gap that fits; the result
// is deterministic. Knows nothing of tensors or devices.
std::size_t plan_offsets(std::span<Lifetime> blocks, std::size_t alignment);

}  // namespace diffusion
