#pragma once

// Which noise levels a sampler visits. A level is a sigma and, on a discrete model, the timestep that the
// network is told there: usually the timestep whose sigma it is, but diffusers rounds some, and what a
// model's scheduler does is honored.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "diffusion/precondition.h"

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
// After these levels comes the end, 0 unless LevelSettings say otherwise.
//
// A rectified flow has no table of timesteps, but times t = sigma / (1 + sigma), as the network is told: T t.
//   linspace     equal steps from t = 1 to 1 / T (this is what diffusers' flow schedulers do; see
//                LevelConvention)
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

// diffusers has three readings of the spacings; ours follow the scheduler that a sampler is the counterpart
// of.
//   ddpm         (DDPM, DDIM, PNDM) linspace is rounded to whole timesteps
//   k_diffusion  (Euler, Heun, LMS, KDPM2) linspace is not rounded, sigma is linear between two timesteps;
//                karras, exponential and beta span the levels of LevelSettings::range
//   dpm_solver   (DPM-Solver, DEIS) leading and linspace divide by steps + 1: the end is one of the equal
//                steps
//   unipc        (UniPC) the same
// On a flow linspace has three readings, too: from 1 to 1 / T, both included (ddpm, k_diffusion); (1 - 1 / T)
// (1 - i / steps) (dpm_solver); and 1 - (1 - 1 / T) i / steps, with 1 - 1e-6 for 1 (unipc).
enum class LevelConvention { ddpm, k_diffusion, dpm_solver, unipc };

// What the network is told at a sigma between two timesteps: both mixed (linear in log sigma), or a whole
// timestep.
enum class TimestepRounding { none, nearest, down };

// Standard deviation of the x to start from at the highest sigma: Preconditioner::initial_std, sigma, or
// sqrt(1 + sigma^2). diffusers' k_diffusion schedulers differ from its others here.
enum class InitialStd { of_model, sigma, with_data };

struct LevelSettings {
  std::optional<Spacing> spacing =
      {};  // none: trailing for discrete models, karras for edm, linspace for flow
  LevelConvention convention = LevelConvention::ddpm;
  Spacing range = Spacing::linspace;  // leading, trailing or linspace; see LevelConvention
  int steps_offset = 0;               // added to the timesteps of leading, >= 0
  TimestepRounding rounding = TimestepRounding::none;
  InitialStd initial_std = InitialStd::of_model;
  std::optional<double> sigma_min = {},
                        sigma_max =
                            {};  // range of karras, exponential, beta, logsnr, angle; none: the model's
  double rho = 7;                // of karras
  std::optional<double> smallest_half_log_snr =
      {};  // dpm_solver: no timestep with -log sigma below (lambda_min_clipped)
  // Of a discrete model: NoiseLevels::middles, at floor(T / steps / 2) timesteps below the first three (PNDM
  // of diffusers without skip_prk_steps). They need 4 steps or more, and timesteps.
  bool has_middles = false;
  // The end is the lowest level of the model instead of 0; of a flow, the last level, so that the last step
  // does nothing.
  bool ends_at_sigma_min = false;
  // Of a flow. t becomes shift t / (1 + (shift - 1) t): above 1 more steps at high noise (Esser et al. 2024,
  // eq. 23). With the first two conventions the least time is shifted twice, as in diffusers.
  double shift = 1;
  std::optional<double> shift_terminal = {};  // then 1 - t is scaled so that the last time is this
};

struct NoiseLevels {
  std::vector<double> sigmas;     // for n steps n + 1, as run_sampler() takes them
  std::vector<double> timesteps;  // n, in [0, T-1]; of a flow T t, in [0, T]; empty for edm
  double initial_std;
  std::vector<double> middles = {};  // sigmas for SamplerOptions::middles, or none

  // The timestep of a level; none if sigma is not exactly one of these, or there are no timesteps.
  std::optional<double> timestep_of(double sigma) const;
};

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
