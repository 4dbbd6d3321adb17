#pragma once

#include <vector>

#include "diffusion/schedule.h"
#include "drawing/plot.h"

namespace diffusion {

// A schedule at a glance, over the timesteps: betas; the shares of picture and noise in the variance of x_t,
// alphas_cumprod and 1 - alphas_cumprod; and the signal-to-noise ratio, on a logarithmic axis.
std::vector<Plot> schedule_plots(const NoiseSchedule& schedule);

}  // namespace diffusion
