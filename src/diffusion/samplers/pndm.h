#pragma once

#include <vector>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// Pseudo linear multistep (PLMS), Liu et al. 2022 (arXiv 2202.09778): as ipndm, but the first step is Heun's
// and so takes two evaluations; what the second one says is not remembered.
struct Pndm {
  // Sigmas between the first levels (NoiseLevels::middles), one for each of the first steps, which then are
  // Runge-Kutta steps of fourth order instead (the "PRK" of diffusers): 4 evaluations each.
  std::vector<double> middles = {};

  SamplerFacts facts() const {
    return {.order = 2,
            .values = 4,
            .extra_evaluations = middles.empty() ? 1 : 3 * int(middles.size()),
            .small_steps = true,
            .grid = LevelGrid::whole_timesteps};
  }
};

SamplerCoroutine walk(Pndm pndm, SamplerState& state);

}  // namespace diffusion
