#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// D as the result, then noise again: Song et al. 2023 (arXiv 2303.01469), Algorithm 1.
struct Consistency {
  SamplerFacts facts() const {
    return {.stochastic = true, .consistency = true, .usual_steps = 4, .convention = LevelConvention::ddpm};
  }
};

SamplerCoroutine walk(Consistency consistency, SamplerState& state);

}  // namespace diffusion
