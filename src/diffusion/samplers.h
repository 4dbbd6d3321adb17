#pragma once

// From noise to pictures. A sampler (diffusion/sampler.h) knows the denoiser D(x; sigma), a list of noise
// levels and a source of noise: neither network nor schedule. diffusion/sampling.h is a sampling that stops
// between evaluations; here is what drives one.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include <diffusion/sampler.h>
#include <diffusion/sampling.h>
#include "diffusion/spacings.h"

namespace diffusion {

// Writes the estimate of the clean image at noise level sigma > 0. Both spans have the same size; denoised is
// not x.
using Denoiser = std::function<void(std::span<const double> x, double sigma, std::span<double> denoised)>;

// Runs a sampler: x comes in at sigmas.front() and goes out at sigmas.back(), if nothing is thrown. Arguments
// and errors are those of Sampling.
//
// The samplers that combine several D start with lower orders. Those over log sigma (dpmpp_*, unipc*, deis*)
// do as diffusers does at the end, too: a step to 0 is of first order, and see lower_order_final.
void run_sampler(const Sampler& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, std::span<double> x, const StepCallback& on_step = {});

}  // namespace diffusion
