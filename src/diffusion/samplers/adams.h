#pragma once

// What the samplers share that extrapolate the noise estimates (x - D) / sigma of earlier steps, the
// Adams-Bashforth family.

#include <span>
#include <vector>

#include "diffusion/samplers/history.h"

namespace diffusion {

// Writes (x - D) / sigma, the network's estimate of the noise.
void estimate_noise(std::span<const double> x, std::span<const double> denoised, double sigma,
                    std::span<double> epsilon);

// x + sum of weights[age] epsilon[age].
void add_weighted(std::span<double> x, std::span<const double> weights, const History& epsilon);

// Weights of the values at `nodes` in the integral of their interpolation polynomial; moments[k] is the
// integral of u^k.
std::vector<double> integral_weights(std::span<const double> nodes, std::span<const double> moments);

// A step with the weights of 1 to 4 values for equal steps.
void step_as_if_equal(std::span<double> x, double step, const History& epsilon);

}  // namespace diffusion
