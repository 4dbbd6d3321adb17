#include "diffusion/rectified_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

namespace {

// `count` times from `first` to `last`, as numpy's linspace computes them: diffusers rounds products of these
// down.
std::vector<double> equal_steps(double first, double last, int count) {
  std::vector<double> times(std::size_t(count), first);
  const double step = count > 1 ? (last - first) / (count - 1) : 0;
  for (int i = 1; i < count; ++i) times[std::size_t(i)] = i * step + first;
  if (count > 1) times.back() = last;
  return times;
}

double shifted(double t, double shift) {
  return shift * t / (1 + (shift - 1) * t);
}

std::vector<double> unshifted_times(int T, int steps, Spacing spacing, const LevelSettings& settings) {
  if (spacing == Spacing::trailing) {
    std::vector<double> times = equal_steps(1, 0, steps + 1);
    times.pop_back();
    return times;
  }
  switch (settings.grid) {
    case LevelGrid::whole_timesteps:
    case LevelGrid::real_timesteps:
      // The least time is shifted here, and once more below: so do diffusers' FlowMatch schedulers.
      return equal_steps(1, shifted(1.0 / T, settings.shift), steps);
    case LevelGrid::with_end: {
      std::vector<double> times = equal_steps(1, 1.0 / T, steps + 1);  // of the share of the picture
      for (double& t : times) t = 1 - t;
      std::ranges::reverse(times);
      times.pop_back();
      return times;
    }
    case LevelGrid::with_end_from_noise: {
      std::vector<double> times = equal_steps(1, 1.0 / T, steps + 1);
      times.pop_back();
      return times;
    }
  }
  throw Error(ErrorKind::internal, "A grid of noise levels does not exist.");
}

// So that the last time is `terminal`, and 1 stays.
void stretch(std::vector<double>& times, double terminal) {
  const double scale = (1 - times.back()) / (1 - terminal);
  if (!(terminal >= 0 && terminal < 1) || !(scale > 0))
    throw Error(ErrorKind::usage,
                fmt::format("{} steps of a flow cannot end at the time shift_terminal, {}; it must be in "
                            "[0, 1), and there must be 2 or more steps.",
                            times.size(), terminal));
  for (double& t : times) t = 1 - (1 - t) / scale;
}

// The times of trailing or linspace, descending from at most 1, shifted and stretched as the settings say;
// the end, 0, is not among them.
std::vector<double> spaced_times(int T, int steps, Spacing spacing, const LevelSettings& settings) {
  if (!(settings.shift > 0 && std::isfinite(settings.shift)))
    throw Error(ErrorKind::usage,
                fmt::format("The shift of a flow's timesteps is {}; it must be positive and finite.",
                            settings.shift));
  std::vector<double> times = unshifted_times(T, steps, spacing, settings);
  for (double& t : times) t = shifted(t, settings.shift);
  if (settings.shift_terminal) stretch(times, *settings.shift_terminal);
  if (settings.grid == LevelGrid::with_end_from_noise && std::abs(times.front() - 1) < 1e-6)
    times.front() -= 1e-6;  // as diffusers' UniPC does
  if (!(times.back() > 0) || std::ranges::adjacent_find(times, std::less_equal<>()) != times.end())
    throw Error(ErrorKind::usage,
                fmt::format("{} steps of a flow with the shift {} cannot be told apart; use fewer steps or a "
                            "shift nearer to 1.",
                            steps, settings.shift));
  return times;
}

double time_of(double sigma) {
  return sigma / (1 + sigma);
}

// As t = 1 is infinite, the largest is 2^40: from there a step of Euler's moves x_t by 2^-40 F less than it
// should.
double sigma_of(double t) {
  return std::min(t / (1 - t), 0x1p40);
}

}  // namespace

void RectifiedFlow::check() const {
  const int T = num_train_timesteps;
  require(T >= 3 && T <= 1'000'000, "The number of timesteps of a flow", T, "3 to 1000000");
  require(std::isfinite(logit_mean), "logit_mean", logit_mean, "finite");
  require_positive("logit_std", logit_std);
}

ProcessFacts RectifiedFlow::facts() const {
  return {.objective = Objective::flow, .first_order = "euler", .second_order = "flow_heun"};
}

Scalings RectifiedFlow::scalings(double sigma) const {
  const double t = time_of(sigma);
  return {1 / (1 + sigma), -t, 1 / (1 + sigma), num_train_timesteps * t};
}

LevelRange RectifiedFlow::range() const {
  return {1.0 / (num_train_timesteps - 1), double(num_train_timesteps - 1)};
}

double RectifiedFlow::sigma_at(double u) const {
  return std::exp(logit_mean + logit_std * normal_quantile(u));
}

NoiseLevels RectifiedFlow::levels(int steps, const LevelSettings& settings) const {
  const Spacing spacing = settings.spacing.value_or(Spacing::linspace);
  if (spacing == Spacing::leading || spacing == Spacing::ays)
    throw Error(ErrorKind::usage,
                fmt::format("The spacing {} is for models with a noise schedule, and a flow has none; "
                            "accepted are: trailing, linspace, karras, exponential, beta, logsnr, angle.",
                            to_string(spacing)));
  const int T = num_train_timesteps;
  NoiseLevels levels;
  if (spacing == Spacing::logsnr || spacing == Spacing::angle) {
    levels.sigmas = spaced_sigmas(spacing, steps, settings.sigma_min.value_or(range().lowest),
                                  settings.sigma_max.value_or(range().highest), settings.rho);
    for (const double sigma : levels.sigmas) levels.timesteps.push_back(T * time_of(sigma));
    return levels;
  }
  const bool over_time = needs_timesteps(spacing);
  std::vector<double> times = spaced_times(T, steps, over_time ? spacing : Spacing::linspace, settings);
  if (!over_time && steps > 1)
    times = spaced_sigmas(spacing, steps, settings.sigma_min ? time_of(*settings.sigma_min) : times.back(),
                          settings.sigma_max ? time_of(*settings.sigma_max) : times.front(), settings.rho);
  for (const double t : times) {
    levels.sigmas.push_back(sigma_of(t));
    levels.timesteps.push_back(T * t);
  }
  return levels;
}

ProcessText RectifiedFlow::text() const {
  return {fmt::format("rectified flow, {} timesteps", num_train_timesteps),
          {{"kind", "flow"}, {"timesteps", num_train_timesteps}}};
}

}  // namespace diffusion
