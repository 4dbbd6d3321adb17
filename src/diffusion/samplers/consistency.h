#pragma once

#include <vector>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// D as the result, then noise again: Song et al. 2023 (arXiv 2303.01469), Algorithm 1.
struct Consistency {
  // Latent consistency models, Luo et al. 2023 (arXiv 2310.04378), distill not D but
  // c_skip x / sqrt(1 + sigma^2) + c_out D with c_skip = 1 / (1 + r^2) and c_out = r / sqrt(1 + r^2), a
  // number r for each step. Empty: D.
  std::vector<double> boundary = {};

  SamplerFacts facts() const {
    return {.stochastic = true, .consistency = true, .usual_steps = 4, .grid = LevelGrid::whole_timesteps};
  }
};

SamplerCoroutine walk(Consistency consistency, SamplerState& state);

}  // namespace diffusion
