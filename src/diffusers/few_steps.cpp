// LCM and TCD: models that are distilled to need few steps.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "diffusers/scheduler_config_parts.h"

namespace diffusion::scheduler {

namespace {

// Some of the timesteps that the student was taught: of `original` multiples of k = floor(T / original), less
// one, every (original / steps)-th from the last.
std::vector<double> taught_timesteps(int T, int original, int steps) {
  if (steps < 1 || steps > original)
    throw Error(ErrorKind::usage,
                fmt::format("{} sampling steps were asked for; this model was distilled for 1 to {} "
                            "(original_inference_steps).",
                            steps, original));
  const int k = T / original;
  const double stride = double(original) / steps;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) timesteps.push_back((original - int(i * stride)) * k - 1);
  return timesteps;
}

NoiseLevels levels_at(const Preconditioner& preconditioner, std::vector<double> timesteps, double end) {
  NoiseLevels levels{{}, std::move(timesteps), 0};
  for (const double t : levels.timesteps)
    levels.sigmas.push_back(sigma_of_timestep(*preconditioner.schedule(), int(t)));
  levels.initial_std = preconditioner.initial_std(levels.sigmas.front());
  levels.sigmas.push_back(end);
  return levels;
}

Preconditioner few_steps_preconditioner(const Fields& fields) {
  return discrete_preconditioner(fields, true, 0.00085, 0.012, "scaled_linear");
}

int original_steps(const Fields& fields, const Preconditioner& preconditioner) {
  return fields.whole_number("original_inference_steps", 50, 1,
                             preconditioner.schedule()->num_train_timesteps);
}

SchedulerSettings with_few_steps(Preconditioner preconditioner, SamplingRecipe sampling, int original) {
  constexpr int kUsualSteps = 4;
  SchedulerSettings result = settings(std::move(preconditioner), std::move(sampling));
  result.sampling.steps = std::min(kUsualSteps, original);
  return result;
}

}  // namespace

SchedulerSettings lcm(const Fields& fields) {
  Preconditioner preconditioner = few_steps_preconditioner(fields);
  const int original = original_steps(fields, preconditioner);
  constexpr double kSigmaData = 0.5;
  const double scale =
      fields.number("timestep_scaling", 10, 0, std::numeric_limits<double>::max()) / kSigmaData;
  SamplingRecipe s{.sampler = Consistency{}, .limit = estimate_limit(fields, true, false, true)};
  s.level_rule = [original, scale](const Preconditioner& p, int steps, Sampler& sampler) {
    NoiseLevels levels =
        levels_at(p, taught_timesteps(p.schedule()->num_train_timesteps, original, steps), 0);
    std::vector<double> boundary;
    for (const double t : levels.timesteps) boundary.push_back(scale * t);
    std::get<Consistency>(sampler).boundary = std::move(boundary);
    return levels;
  };
  return with_few_steps(std::move(preconditioner), std::move(s), original);
}

// A step leads to the timestep (1 - eta) t of the next one, t, and fresh noise from there to t. This class
// limits nothing, whatever its fields say.
SchedulerSettings tcd(const Fields& fields) {
  constexpr double kEta = 0.3;  // the default of its step(), which has it as an argument
  Preconditioner preconditioner = few_steps_preconditioner(fields);
  const int original = original_steps(fields, preconditioner);
  SamplingRecipe s{.sampler = EulerAncestral{.eta = kEta}};
  s.level_rule = [original](const Preconditioner& p, int steps, Sampler& sampler) {
    const NoiseSchedule& schedule = *p.schedule();
    NoiseLevels levels = levels_at(p, taught_timesteps(schedule.num_train_timesteps, original, steps),
                                   schedule.sigmas.front());
    EulerAncestral& euler = std::get<EulerAncestral>(sampler);
    euler.downs.clear();
    for (std::size_t i = 1; i < levels.sigmas.size(); ++i) {
      const double next = i < levels.timesteps.size() ? levels.timesteps[i] : 0;
      euler.downs.push_back(schedule.sigma(int((1 - euler.eta) * next)));
    }
    return levels;
  };
  return with_few_steps(std::move(preconditioner), std::move(s), original);
}

}  // namespace diffusion::scheduler
