#pragma once

#include <cstddef>
#include <span>

#include <diffusion/conditions.h>
#include "nn/network.h"

namespace diffusion {

// Error(usage) naming the condition, unless `given` holds exactly the conditions that a network takes, each
// with the numbers of `samples` samples of `pixels` pixels, and rows of tables are in the tables.
void check_conditions(std::span<const ConditionTraits> taken, const Conditions& given, std::size_t samples,
                      std::size_t pixels);

}  // namespace diffusion
