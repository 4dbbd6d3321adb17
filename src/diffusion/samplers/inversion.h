#pragma once

// From a picture up to the noise that a sampler without fresh noise would make it from. Both forms take the
// levels of that sampler upwards; the first may be 0.

#include <diffusion/sampler.h>

namespace diffusion {

// ddim turned around. Its step down is x = x' + (s - s') e(x', s'), e = (x' - D(x'; s')) / s'; where x' is to
// be found, the noise estimate e is taken of x instead, at the level s' that the step leads to (Mokady et al.
// 2022, arXiv 2211.09794, and diffusers' DDIMInverseScheduler). One evaluation a step.
OwnSampler ddim_inversion();

// heun upwards: the mean of the noise estimates at both ends, the upper one at where the lower one leads. A
// step from 0, where there is no noise to estimate, is that of ddim_inversion(). Two evaluations a step.
OwnSampler heun_inversion();

}  // namespace diffusion
