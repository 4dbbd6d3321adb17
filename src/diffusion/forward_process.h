#pragma once

// The forward process: data to noise. Two forms of one distribution, and what training makes of it.

#include <span>

#include "diffusion/precondition.h"
#include "diffusion/schedule.h"

namespace diffusion {

// x_t ~ q(x_t | x_0) in one jump (Ho et al. 2020, eq. 4), VP form, for a batch:
//   out = sqrt(alphas_cumprod[t]) x0 + sqrt(1 - alphas_cumprod[t]) noise.
// x0, noise and out hold timesteps.size() samples of equal size, one after the other; noise is N(0, 1). out
// may be x0 or noise. Throws Error(usage) if sizes do not fit or a timestep is outside [0, T).
void q_sample(const NoiseSchedule& schedule, std::span<const double> x0, std::span<const int> timesteps,
              std::span<const double> noise, std::span<double> out);

// One step x_{t-1} -> x_t of the Markov chain (Ho et al. 2020, eq. 2), in place:
//   x = sqrt(1 - betas[t]) x + sqrt(betas[t]) noise.
// Steps t = 0, 1, ..., s from x_0, each with fresh noise, give the distribution of q_sample at timestep s.
// Errors as q_sample.
void markov_step(const NoiseSchedule& schedule, int t, std::span<const double> noise, std::span<double> x);

// One training example at noise level sigma: x = y + sigma noise, the network's input c_in x, and the target
// (y - c_skip x) / c_out that makes D = y. y in [-1, 1], noise N(0, 1); computed in double. The outputs may
// be y or noise, but not one another. Throws Error(usage) if sizes differ or sigma is not positive and
// finite.
void network_input_and_target(const Preconditioner& preconditioner, double sigma, std::span<const float> y,
                              std::span<const float> noise, std::span<float> input, std::span<float> target);

}  // namespace diffusion
