#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// DEIS over log sigma, Zhang & Chen 2022 (arXiv 2204.13902).
struct Deis {
  int values = 3;  // of the noise estimate, 2 or 3
  // With fewer than 15 steps the order is at most the number of steps left.
  bool lower_order_final = true;

  SamplerFacts facts() const { return {.order = values, .values = values, .grid = LevelGrid::with_end}; }
};

SamplerCoroutine walk(Deis deis, SamplerState& state);

}  // namespace diffusion
