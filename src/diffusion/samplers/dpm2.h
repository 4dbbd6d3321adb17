#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// DPM-Solver-2, Lu et al. 2022 (arXiv 2206.00927), over sigma: the midpoint rule, with the middle in log
// sigma.
struct Dpm2 {
  SamplerFacts facts() const { return {.order = 2, .values = 2, .evaluations = 2, .small_steps = true}; }
};

SamplerCoroutine walk(Dpm2 dpm2, SamplerState& state);

}  // namespace diffusion
