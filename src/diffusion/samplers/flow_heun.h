#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// Heun's method over the time t = sigma / (1 + sigma) of a rectified flow, whose velocity n - y is
// dx_t/dt = (x_t - D) / t at x_t = (1 - t) x. Euler's step is the same over t and sigma, the trapezoidal rule
// is not.
struct FlowHeun {
  SamplerFacts facts() const { return {.order = 2, .values = 2, .evaluations = 2}; }
};

SamplerCoroutine walk(FlowHeun heun, SamplerState& state);

}  // namespace diffusion
