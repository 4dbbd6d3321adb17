#pragma once

// The samplers themselves, one file each: a loop over steps, in the symbols of its paper, that stops where it
// needs D (sampling.h). They take their options by value and the state by reference; Sampling owns both.

#include <diffusion/sampler.h>
#include <diffusion/sampling.h>

namespace diffusion {

SamplerCoroutine walk(Ddpm ddpm, SamplerState& state);
SamplerCoroutine walk(Ddim ddim, SamplerState& state);
SamplerCoroutine walk(EulerAncestral euler, SamplerState& state);
SamplerCoroutine walk(Pndm pndm, SamplerState& state);
SamplerCoroutine walk(Euler euler, SamplerState& state);
SamplerCoroutine walk(Heun heun, SamplerState& state);
SamplerCoroutine walk(Edm edm, SamplerState& state);
SamplerCoroutine walk(Dpm2 dpm2, SamplerState& state);
SamplerCoroutine walk(Lms lms, SamplerState& state);
SamplerCoroutine walk(Ipndm ipndm, SamplerState& state);
SamplerCoroutine walk(Dpmpp dpmpp, SamplerState& state);
SamplerCoroutine walk(DpmppSde dpmpp, SamplerState& state);
SamplerCoroutine walk(DpmppSinglestep dpmpp, SamplerState& state);
SamplerCoroutine walk(SaSolver solver, SamplerState& state);
SamplerCoroutine walk(Unipc unipc, SamplerState& state);
SamplerCoroutine walk(Deis deis, SamplerState& state);
SamplerCoroutine walk(FlowHeun heun, SamplerState& state);
SamplerCoroutine walk(Consistency consistency, SamplerState& state);
SamplerCoroutine walk(const OwnSampler& own, SamplerState& state);  // which must outlive it

}  // namespace diffusion
