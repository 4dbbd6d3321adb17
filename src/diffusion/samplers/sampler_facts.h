#pragma once

// What every sampler says of itself, and how its options are described. A sampler is a small struct: its
// members are its options with their defaults, facts() tells what it does with them, and options(), if there
// are any that a person may set by name, lists those. The function walk() beside it is the sampler itself.

#include <string_view>

#include "diffusion/samplers/level_grid.h"

namespace diffusion {

class SamplerCoroutine;  // coroutine.h
struct SamplerState;

// `order` is what a test measures from sigma 80 down to 0.002 on Karras' levels. The first steps have little
// history, but at high noise D hardly changes, so this does not show; from a low noise level most multistep
// samplers are of order 2. pndm and ipndm are of order 4 where the levels are equally spaced.
//
// small_steps: these average slopes at both ends of a step over sigma. Where the first sigma is 1000 times
// the second, as it can be for timesteps of the cosine schedule or with zero terminal SNR, an error at the
// second counts 500-fold. Spacing::logsnr suits them on every model.
//
// consistency: D must tell where the ODE ends that passes through x, as models of `diffusion distill` do, not
// the mean of all images that x can come from. Spacing::angle suits it.
struct SamplerFacts {
  int order = 0;              // the error of the ODE's solution falls as steps^-order; 0: not of the ODE
  int values = 1;             // of D that a step combines
  int evaluations = 1;        // of D in a step; one in a step to 0
  int extra_evaluations = 0;  // in the first of several steps
  bool stochastic = false;    // draws noise
  bool small_steps = false;   // goes wrong where sigma falls by a large factor in a step
  bool consistency = false;   // D must be a consistency function
  bool ascends = false;       // may go up as well as down
  int usual_steps = 20;       // many steps do not help if several values are combined: docs/samplers.md
  LevelGrid grid = LevelGrid::real_timesteps;  // of the levels that it goes down
};

// An option of the sampler S that can be set by name; accepted are least to most.
template <class S>
struct SamplerOption {
  std::string_view name;
  double S::*member;
  double least, most;
};

}  // namespace diffusion
