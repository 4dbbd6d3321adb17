#pragma once

// What an evaluation of robustness found, for a person and for programs.

#include <string>

#include <diffusion/robustness.h>
#include "formats/json.h"

namespace diffusion {

struct RobustnessTitle {
  std::string model, classifier, data;
  AttackOptions attack;
  int draws, steps;
  std::string sampler;
};

void print_robustness(const RobustnessTitle& title, const Robustness& result);
// Error(usage) for paths that are not UTF-8.
Json to_json(const RobustnessTitle& title, const Robustness& result);

}  // namespace diffusion
