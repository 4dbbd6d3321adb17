#pragma once

#include <array>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// DPM-Solver++(2S) and with 3 values, Lu et al. 2022 (arXiv 2211.01095), on the ODE or the SDE. The levels
// are walked in groups of `values` steps: every step of a group starts where the group does, and so is of
// higher order than the one before it; the next group forgets all of it. A step costs one evaluation, so that
// a group is one step of the paper.
struct DpmppSinglestep {
  int values = 2;  // of D, 2 or 3
  double eta = 0;  // fresh noise: 0 none .. 1 as much as the reverse SDE
  // The last step of all is of first order where it would end a group. A step to 0 always is.
  bool lower_order_final = false;
  // Differences of D weigh as in their Taylor series, and not as published: (1 - exp(-q)) / 2 for the slope
  // in the second step of a group, and no curvature in the third (diffusers: solver_type heun).
  bool heun = false;

  static constexpr auto options() {
    return std::array{SamplerOption<DpmppSinglestep>{"eta", &DpmppSinglestep::eta, 0, 1}};
  }
  SamplerFacts facts() const {
    return {
        .order = eta > 0 ? 0 : values, .values = values, .stochastic = eta > 0, .grid = LevelGrid::with_end};
  }
};

SamplerCoroutine walk(DpmppSinglestep dpmpp, SamplerState& state);

}  // namespace diffusion
