#pragma once

// D as likelihoods need it: every image at a noise level of its own, and products with its Jacobian. An
// NetworkEvaluator (diffusion/network_evaluator.h) gives both; tests have some that are known exactly.

#include <functional>
#include <span>

namespace diffusion {

// Writes D(x; sigma), the estimate of the clean images. x and denoised hold sigmas.size() images of equal
// size, one after the other; sigmas are positive; denoised is not x.
using LevelDenoiser = std::function<void(std::span<const double> x, std::span<const double> sigmas,
                                         std::span<double> denoised)>;

// The same, and of each image product = probe^T dD/dx, a row of numbers like x.
using JacobianDenoiser =
    std::function<void(std::span<const double> x, std::span<const double> sigmas,
                       std::span<const double> probe, std::span<double> denoised, std::span<double> product)>;

}  // namespace diffusion
