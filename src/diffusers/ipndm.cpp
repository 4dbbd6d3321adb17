// IPNDM, whose networks know no timesteps but the angle of x_t = cos(pi t / 2) y + sin(pi t / 2) n, t from 0
// to 1, and predict v.

#include <cmath>
#include <numbers>

#include <diffusion/error.h>
#include "diffusers/scheduler_config_parts.h"

namespace diffusion::scheduler {

namespace {

// sin(pi t / 2) = sin^2(pi s / 2), s in equal steps from 1 to 0. The step from s = 1, an infinite sigma,
// changes the noise into itself and does not use what the network says, so we begin behind it.
NoiseLevels levels_of_angles(int steps, Sampler& sampler) {
  if (steps < 2)
    throw Error(ErrorKind::usage,
                "1 sampling step was asked for; the first step of this model's scheduler leads from noise to "
                "noise, so that 2 or more are needed.");
  NoiseLevels levels{{}, {}, 0};
  for (int i = 1; i < steps; ++i) {
    const double root = std::sin(std::numbers::pi / 2 * (1 - double(i) / steps)), noise = root * root;
    levels.sigmas.push_back(noise / std::sqrt((1 - noise) * (1 + noise)));
  }
  levels.initial_std = levels.sigmas.front();
  levels.sigmas.push_back(0);
  std::get<Ipndm>(sampler).starts_with_noise = true;
  return levels;
}

}  // namespace

SchedulerSettings ipndm(const Fields& fields) {
  fields.only_null("trained_betas");
  const EdmProcess angles{.sigma_data = 1, .time = EdmProcess::Time::angle, .negated = true};
  SamplingRecipe s{.sampler = Ipndm{}};
  s.level_rule = [](const Preconditioner&, int steps, Sampler& sampler) {
    return levels_of_angles(steps, sampler);
  };
  return settings(Preconditioner(angles), std::move(s));
}

}  // namespace diffusion::scheduler
