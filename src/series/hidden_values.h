#pragma once

// Which values of a series are hidden, so that it can be learned or measured how they are filled in.

#include <vector>

#include "base/rng.h"

namespace diffusion {

enum class Hiding {
  points,  // each value by itself
  blocks   // values in a row; blocks may touch and overlap
};

// Which of `count` values are hidden. Points: each with the probability `share`. Blocks: of `block` values at
// random places, the first and the last one cut off where the series ends, as many as it takes to hide the
// share. Error(internal) unless the share is in [0, 1) and `block` is 1 or more. A function of its arguments.
std::vector<bool> hidden_values(int count, Hiding hiding, double share, int block, const RandomKey& key);

// What training hides of a window of `count` values: points or blocks, with equal probabilities; a share
// between 5% and 95%, uniformly; blocks of 2 to `most_block` values, uniformly in the logarithm.
std::vector<bool> hidden_in_training(int count, int most_block, const RandomKey& key);

}  // namespace diffusion
