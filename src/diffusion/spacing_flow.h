#pragma once

#include <vector>

#include <diffusion/levels.h>

namespace diffusion {

// The times t of a rectified flow that `steps` levels of trailing or linspace have, descending from at most
// 1, shifted and stretched as the settings say; the end, 0, is not among them. Error(usage) if the settings
// are out of range or two times are the same.
std::vector<double> flow_times(int num_train_timesteps, int steps, Spacing spacing,
                               const LevelSettings& settings);

// sigma = t / (1 - t) of a time in (0, 1]. As t = 1 is infinite, the largest is 2^40: from there a step of
// Euler's moves x_t by 2^-40 F less than it should.
double sigma_of_flow_time(double t);

}  // namespace diffusion
