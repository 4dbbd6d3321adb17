#pragma once

// Guidance: functions from denoisers to a denoiser. A sampler cannot tell the difference. The result owns
// copies of the denoisers and may be called by one thread at a time.

#include "diffusion/samplers.h"

namespace diffusion {

// D limited to [low, high], the range of pixels. The step then uses the noise that the limited estimate
// implies (diffusers' ddpm, or ddim with use_clipped_model_output). NaN stays NaN. Throws Error(usage) unless
// low < high.
Denoiser clip_denoised(Denoiser denoise, double low = -1, double high = 1);

// Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598): D = uncond + scale (cond - uncond). Scale
// 1 is `conditional` and 0 is `unconditional`, each at the cost of one evaluation. Throws Error(usage) unless
// scale is finite.
Denoiser classifier_free_guidance(Denoiser conditional, Denoiser unconditional, double scale);

}  // namespace diffusion
