#pragma once

// What is evaluated together: samples of any number of samplings, each at a noise level and under conditions
// of its own.

#include <cstddef>
#include <span>
#include <vector>

#include <diffusion/conditions.h>
#include "diffusion/network_evaluator.h"

namespace diffusion {

struct Rows {
  std::vector<double> states;  // [N, C, H, W]
  std::vector<SampleLevel> levels;
  Conditions conditions;

  std::size_t count() const { return levels.size(); }
  void clear();

  // Adds `samples` samples at one level. `conditions` are of the same names at every call.
  void append(std::size_t samples, std::span<const double> states, const SampleLevel& level,
              const Conditions& conditions);
};

// Of the rows first, first + 1, ...
Conditions conditions_of_rows(const Rows& rows, std::size_t first, std::size_t count);

// D of all rows, [N, C, H, W], computed `most` rows at a time: what an evaluator was made for, and memory
// holds.
void denoise(NetworkEvaluator& evaluator, const Rows& rows, std::size_t most, std::vector<double>& denoised);

}  // namespace diffusion
