#pragma once

// Makes the noise levels that a sampler visits (<diffusion/levels.h>). Those of a model are noise_levels() of
// precondition.h.

#include <optional>
#include <vector>

#include <diffusion/levels.h>

namespace diffusion {

bool needs_timesteps(Spacing spacing);

// The timesteps of leading, trailing or linspace among T, of which only the first `usable` are taken (none:
// all), descending. Throws Error(usage) for other spacings, unless 1 <= steps <= T, and if there are not so
// many different ones. trailing among less than T has fewer than `steps`.
std::vector<double> spaced_timesteps(int num_train_timesteps, int steps, const LevelSettings& settings,
                                     std::optional<int> usable = {});

// `steps` levels of karras, exponential, beta, logsnr or angle from sigma_max to sigma_min, without the end.
// Throws Error(usage) unless steps >= 1, 0 < sigma_min < sigma_max < infinity and rho >= 1.
std::vector<double> spaced_sigmas(Spacing spacing, int steps, double sigma_min, double sigma_max, double rho);

// Those of karras, and 0.
std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho = 7);

}  // namespace diffusion
