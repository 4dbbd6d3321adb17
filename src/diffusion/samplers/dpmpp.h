#pragma once

#include <array>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// DPM-Solver++(2M) and with 3 values, Lu et al. 2022 (arXiv 2211.01095).
struct Dpmpp {
  int values = 2;  // of D, 2 or 3
  // With fewer than 15 steps the order is at most the number of steps left.
  bool lower_order_final = true;
  bool euler_at_final = false;  // the last step is of first order
  // A step of second order weighs the slope of D by its integral (diffusers: solver_type heun) and not by
  // that of its middle, (1 - exp(-q)) / 2.
  bool heun = false;

  SamplerFacts facts() const { return {.order = 2, .values = values, .grid = LevelGrid::with_end}; }
};

// The same on the SDE.
struct DpmppSde {
  int values = 2;
  double eta = 1;  // fresh noise: 0 none (dpmpp) .. 1 as much as the reverse SDE
  bool lower_order_final = true, euler_at_final = false, heun = false;  // as above

  static constexpr auto options() { return std::array{SamplerOption<DpmppSde>{"eta", &DpmppSde::eta, 0, 1}}; }
  SamplerFacts facts() const {
    return {.order = eta > 0 ? 0 : 2, .values = values, .stochastic = eta > 0, .grid = LevelGrid::with_end};
  }
};

SamplerCoroutine walk(Dpmpp dpmpp, SamplerState& state);
SamplerCoroutine walk(DpmppSde dpmpp, SamplerState& state);

}  // namespace diffusion
