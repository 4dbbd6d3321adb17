#pragma once

// Which noise levels a sampler visits. A level is a sigma and, on a discrete model, the timestep that the
// network is told there: usually the timestep whose sigma it is, but what a model's scheduler does is honored
// (LevelRule in recipe.h).

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <diffusion/sampler.h>

namespace diffusion {

// Of T training timesteps t (discrete models only):
//   leading      i floor(T / steps): ends at 0, may start far below T-1
//   trailing     round(T - i T / steps) - 1: starts at T-1
//   linspace     from T-1 to 0, equally spaced (one step: 0)
//   ays          the ten timesteps of Align Your Steps for Stable Diffusion 1.5 (Sabour et al. 2024, arXiv
//                2404.14507), scaled to T; other numbers of steps interpolate log sigma, as the authors do.
//                On other schedules a guess.
// Of sigma, from sigma_max to sigma_min (both included unless said otherwise):
//   karras       sigma^(1/rho) equally spaced (Karras et al. 2022, arXiv 2206.00364, eq. 5)
//   exponential  log sigma equally spaced
//   beta         sigma_min + q (sigma_max - sigma_min), q quantiles of Beta(0.6, 0.6), as in diffusers (the
//                idea is of Lee et al. 2024, arXiv 2407.12173): dense at both ends
//   logsnr       log sigma equally spaced, with a last step from above sigma_min to the end (Lu et al. 2022,
//                arXiv 2206.00927): sigma_min itself is not visited
//   angle        arctan sigma equally spaced from sigma_max to 0: 2 steps visit sigma 1, 4 steps 2.4, 1 and
//                0.41. For the sampler consistency (the time of Lu & Song 2024, arXiv 2410.11081)
// After these levels comes the end, 0.
//
// A rectified flow has no table of timesteps, but times t = sigma / (1 + sigma), as the network is told: T t.
//   linspace     equal steps from t = 1 to 1 / T, see LevelGrid
//   trailing     t = 1 - i / steps
//   karras, exponential, beta   the same formulas, but over t from the first to the last time of linspace, as
//                               in diffusers
//   logsnr, angle   as above, over sigma from T - 1 (logsnr: to 1 / (T - 1))
// leading and ays are refused.
enum class Spacing { leading, trailing, linspace, ays, karras, exponential, beta, logsnr, angle };

struct SpacingEntry {
  std::string_view name;
  Spacing spacing;
  bool needs_timesteps;          // not for edm models
  std::string_view description;  // one line
};

std::span<const SpacingEntry> spacings();  // in the order of the enumeration
std::string_view to_string(Spacing spacing);
Spacing parse_spacing(std::string_view name);  // throws Error(usage) that lists the names

struct LevelSettings {
  std::optional<Spacing> spacing =
      {};  // none: trailing for discrete models, karras for edm, linspace for flow
  LevelGrid grid = LevelGrid::whole_timesteps;
  int steps_offset = 0;  // added to the timesteps of leading, >= 0
  // Range of karras, exponential, beta, logsnr and angle; none: the model's. leading, trailing and linspace
  // leave out the timesteps above sigma_max.
  std::optional<double> sigma_min = {}, sigma_max = {};
  double rho = 7;  // of karras
  // Of a flow. t becomes shift t / (1 + (shift - 1) t): above 1 more steps at high noise (Esser et al. 2024,
  // eq. 23). With the first two grids the least time is shifted twice, as in diffusers.
  double shift = 1;
  std::optional<double> shift_terminal = {};  // then 1 - t is scaled so that the last time is this
};

struct NoiseLevels {
  std::vector<double> sigmas = {};     // for n steps n + 1, as Sampling takes them
  std::vector<double> timesteps = {};  // n, in [0, T-1]; of a flow T t, in [0, T]; empty for edm
  double initial_std = 0;              // of the x to start from

  // The timestep of a level; none if sigma is not exactly one of these, or there are no timesteps.
  std::optional<double> timestep_of(double sigma) const;
};

}  // namespace diffusion
