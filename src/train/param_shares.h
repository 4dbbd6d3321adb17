#pragma once

#include <cstddef>
#include <vector>

#include "base/tensor.h"
#include "plan/param_store.h"

namespace diffusion {

// Numbers begin to end - 1 of a flat block in the layout of the parameters.
struct ParamRange {
  std::size_t begin = 0, end = 0;

  std::size_t size() const { return end - begin; }
  bool operator==(const ParamRange&) const = default;
};

// The block cut between parameters, into pieces of at least `least` numbers, the last but one aside: the
// smallest parts of it that a process can own, whatever the number of processes.
std::vector<ParamRange> units_of(const ParamLayout& layout, std::size_t least = 65'536);

// What each of `processes` owns: neighboring units, about equally many numbers.
std::vector<ParamRange> shares_of(const std::vector<ParamRange>& units, int processes);

// These numbers of a flat block.
Tensor part_of(const Tensor& block, const ParamRange& range);

}  // namespace diffusion
