#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// 4 values of the noise as if steps were equal, Zhang & Chen 2022 (arXiv 2204.13902); starts with Euler.
struct Ipndm {
  // The start counts as the first of the values: its x / sigma is all noise, as if there had been a step down
  // from infinity before.
  bool starts_with_noise = false;

  SamplerFacts facts() const { return {.order = 2, .values = 4}; }
};

SamplerCoroutine walk(Ipndm ipndm, SamplerState& state);

}  // namespace diffusion
