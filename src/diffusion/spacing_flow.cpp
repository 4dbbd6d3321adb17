#include "diffusion/spacing_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr double kLargestSigma = 0x1p40;

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

}  // namespace

std::vector<double> flow_times(int num_train_timesteps, int steps, Spacing spacing,
                               const LevelSettings& settings) {
  if (!(settings.shift > 0 && std::isfinite(settings.shift)))
    throw Error(ErrorKind::usage,
                fmt::format("The shift of a flow's timesteps is {}; it must be positive and finite.",
                            settings.shift));
  std::vector<double> times = unshifted_times(num_train_timesteps, steps, spacing, settings);
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

double sigma_of_flow_time(double t) {
  return std::min(t / (1 - t), kLargestSigma);
}

}  // namespace diffusion
