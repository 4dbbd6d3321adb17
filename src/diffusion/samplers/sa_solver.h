#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// SA-Solver, Xue et al. 2023 (arXiv 2309.05019): Adams' prediction of the next state on an SDE with more or
// less noise, and, when D is known there, a correction that costs nothing and draws nothing new.
struct SaSolver {
  // How many values of D there are in the prediction and in the correction (which counts the one at the end
  // of the step), 1 to 4. The first steps, for which there are not so many, have fewer.
  int predictor = 2, corrector = 2;
  // Fresh noise in steps that start at a sigma in [s_tmin, s_tmax]: 0 none, 1 as much as the reverse SDE, and
  // more is allowed.
  double tau = 1;
  double s_tmin = 0, s_tmax = std::numeric_limits<double>::infinity();
  bool lower_order_final = true;  // not more values than steps are left

  static constexpr auto options() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return std::array{SamplerOption<SaSolver>{"s_tmin", &SaSolver::s_tmin, 0, kInfinity},
                      SamplerOption<SaSolver>{"s_tmax", &SaSolver::s_tmax, 0, kInfinity}};
  }
  SamplerFacts facts() const {
    return {.values = std::max(predictor, corrector), .stochastic = tau > 0, .grid = LevelGrid::with_end};
  }
};

SamplerCoroutine walk(SaSolver solver, SamplerState& state);

}  // namespace diffusion
