#pragma once

// Makes the noise levels that a sampler visits (diffusion/levels.h).

#include <vector>

#include <diffusion/levels.h>
#include "diffusion/precondition.h"

namespace diffusion {

// Usually `steps` steps; fewer for trailing with smallest_half_log_snr. Throws Error(usage) if steps < 1, if
// the model has no timesteps and the spacing needs them, if steps are so many that a level would come twice,
// and if the settings are out of range.
NoiseLevels noise_levels(const Preconditioner& preconditioner, int steps, const LevelSettings& settings = {});

// The timesteps of leading, trailing or linspace among T, descending. Errors as noise_levels.
std::vector<double> spaced_timesteps(int num_train_timesteps, int steps, const LevelSettings& settings);

// `steps` levels from sigma_max to sigma_min, and 0. Throws Error(usage) unless steps >= 1, 0 < sigma_min <
// sigma_max < infinity and rho >= 1.
std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho = 7);

}  // namespace diffusion
