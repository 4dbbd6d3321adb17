#pragma once

// RePaint, Lugmayr et al. 2022 (arXiv 2201.09865): a picture of which a part is known is drawn around that
// part. After every step down the known numbers are replaced by those of the picture with fresh noise; and
// now and then the state goes some levels up again, by fresh noise, so that both parts come to agree.

#include <cstddef>
#include <vector>

#include <diffusion/sampler.h>

namespace diffusion {

struct Repaint {
  Sampler sampler;              // of each step down, which knows nothing of the steps before
  std::vector<double> picture;  // of N images [N, C, H, W], as it is at noise level 0
  std::vector<bool> known;      // [C, H, W], the same for all images
  int jump = 10;                // levels that the state goes up by, >= 1
  int resample = 10;            // how often the levels of a jump are gone through in all, >= 1; 1: no jumps
};

// Which levels are visited in which order, as indices into the n + 1 levels of n steps: 0, 1, ... n with
// jumps. The state jumps where a multiple of `jump` steps are left, unless the first level is as near as
// that: as in the authors' program and in diffusers' RePaintScheduler.
std::vector<std::size_t> repaint_path(std::size_t steps, int jump, int resample);

// A sampler that does it; its draws of noise are 2 m + 1 (of the step's sampler) and 2 m + 2 (of the known
// part, or of the way up) in move m of the path, and on_step is told moves. Error(usage) unless `known` makes
// whole images of the picture, and jump and resample are at least 1. It takes descending levels only.
OwnSampler repaint_sampler(Repaint repaint);

}  // namespace diffusion
