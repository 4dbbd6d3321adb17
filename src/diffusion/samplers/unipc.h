#pragma once

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// UniPC, Zhao et al. 2023 (arXiv 2302.04867).
struct Unipc {
  int values = 2;                 // of D in the prediction, 2 or 3
  bool lower_order_final = true;  // the order is at most the number of steps left
  bool bh1 = false;               // B(h) = -h, which matters where a step has one other value of D

  SamplerFacts facts() const {
    return {.order = values + 1, .values = values, .grid = LevelGrid::with_end_from_noise};
  }
};

SamplerCoroutine walk(Unipc unipc, SamplerState& state);

}  // namespace diffusion
