#pragma once

// From noise to pictures. A sampler (samplers/sampler.h) knows the denoiser D(x; sigma), a list of noise
// levels and a source of noise: neither network nor schedule. Its state is the VE form x = y + sigma n in
// double; the VP state of a discrete model is x / sqrt(1 + sigma^2), and that of a rectified flow is
// (1 - t) x with t = sigma / (1 + sigma). All are one ODE, dx/dsigma = (x - D(x; sigma)) / sigma.
//
// samplers/sampling.h is a sampling that stops between evaluations; here is what drives one.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sampling.h"
#include "diffusion/spacings.h"

namespace diffusion {

// Writes the estimate of the clean image at noise level sigma > 0. Both spans have the same size; denoised is
// not x.
using Denoiser = std::function<void(std::span<const double> x, double sigma, std::span<double> denoised)>;

// Noise in which image k of a seed is the same bytes alone and in any batch: sample = first_image + place in
// the batch, step = draw, Stream::sample_noise. Throws Error(usage) when filling something other than whole
// images.
NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image);

// Runs a sampler: x comes in at sigmas.front() and goes out at sigmas.back(), if nothing is thrown. Arguments
// and errors are those of Sampling.
//
// The samplers that combine several D start with lower orders. Those over log sigma (dpmpp_*, unipc*, deis*)
// do as diffusers does at the end, too: a step to 0 is of first order, and see lower_order_final.
void run_sampler(const Sampler& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, std::span<double> x, const StepCallback& on_step = {});

}  // namespace diffusion
