#pragma once

#include <cstddef>
#include <span>

namespace diffusion {

// The sum of blocks as a binary tree: neighbors are added first, then neighboring pairs, and so on. A part of
// the blocks that is a node of this tree (tree_nodes) may be added first, and gives the same bits.

// Numbers begin to end - 1 of the sum, which comes to be in the first block; the others are overwritten.
void add_in_pairs(std::span<float* const> blocks, std::size_t begin, std::size_t end);

// to[i] += factor from[i] for the numbers begin to end - 1.
void add_scaled(const float* from, float factor, float* to, std::size_t begin, std::size_t end);

}  // namespace diffusion
