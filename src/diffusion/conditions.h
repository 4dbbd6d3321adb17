#pragma once

// What a network is told of each sample besides its noisy numbers and its noise level.

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diffusion/model.h"
#include "nn/network.h"

namespace diffusion {

// By the condition's name (ConditionTraits) its numbers, [N, size]: those of sample 0, of sample 1, ...
using Conditions = std::map<std::string, std::vector<float>, std::less<>>;

// The condition "class": a row of the model's class table for each sample; its null class means
// unconditional. Models without classes take no labels, and then this is empty. Error(usage) for labels that
// the model does not have, and for networks that are not told the class by a table.
Conditions class_labels(const Model& model, std::span<const int> labels);

// Error(usage) naming the condition, unless `given` holds exactly the conditions that a network takes, each
// with the numbers of `samples` samples, and rows of tables are in the tables.
void check_conditions(std::span<const ConditionTraits> taken, const Conditions& given, std::size_t samples);

}  // namespace diffusion
