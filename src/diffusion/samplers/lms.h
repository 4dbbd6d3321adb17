#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// Adams-Bashforth over sigma with 4 values of the noise, exact for the steps taken (Crowson, k-diffusion).
struct Lms {
  SamplerFacts facts() const { return {.order = 4, .values = 4}; }
};

SamplerCoroutine walk(Lms lms, SamplerState& state);

}  // namespace diffusion
