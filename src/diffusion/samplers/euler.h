#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// Euler's method on the ODE.
struct Euler {
  SamplerFacts facts() const { return {.order = 1, .usual_steps = 50}; }
};

SamplerCoroutine walk(Euler euler, SamplerState& state);

}  // namespace diffusion
