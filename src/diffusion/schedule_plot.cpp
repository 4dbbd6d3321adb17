#include "diffusion/schedule_plot.h"

#include <fmt/format.h>

#include <numeric>

namespace diffusion {

std::vector<Plot> schedule_plots(const NoiseSchedule& schedule) {
  std::vector<double> timesteps(schedule.betas.size()), noise, snr;
  std::iota(timesteps.begin(), timesteps.end(), 0);
  for (const double a : schedule.alphas_cumprod) {
    noise.push_back(1 - a);
    snr.push_back(a / (1 - a));
  }
  const Axis time{"timestep t"};
  return {
      {fmt::format("{}, T = {}", to_string(schedule.kind), schedule.num_train_timesteps),
       time,
       {"beta"},
       {{"", timesteps, schedule.betas}}},
      {"What x_t is made of",
       time,
       {"share of the variance"},
       {{"alphas_cumprod: picture", timesteps, schedule.alphas_cumprod},
        {"1 - alphas_cumprod: noise", timesteps, noise}}},
      {fmt::format("SNR, {:.2g} at the end", schedule.terminal_snr()),
       time,
       {"signal-to-noise ratio", AxisScale::logarithmic},
       {{"", timesteps, snr}}},
  };
}

}  // namespace diffusion
