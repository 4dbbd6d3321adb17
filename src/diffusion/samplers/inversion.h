#pragma once

// From a picture up to the noise that a sampler without fresh noise would make it from. Both forms take the
// levels of that sampler upwards, from a first one that is nearly 0.

#include <diffusion/sampler.h>

namespace diffusion {

// ddim turned around: x' = x + (s' - s) e, with the noise estimate e = (x - D(x; s)) / s at the lower level.
// Whoever evaluates D may tell the network that it is at s', where the step down estimates it (Mokady et al.
// 2022, arXiv 2211.09794, and diffusers' DDIMInverseScheduler). One evaluation a step.
OwnSampler ddim_inversion();

// heun upwards: the mean of the noise estimates at both ends, the upper one at where the lower one leads. The
// first step takes the upper one alone, as heun's last step down does. Two evaluations a step.
OwnSampler heun_inversion();

}  // namespace diffusion
