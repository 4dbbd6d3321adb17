#pragma once

// Which noise levels a sampler visits. A level is a sigma and, on a discrete model, the timestep that the
// network is told there: usually the timestep whose sigma it is, but diffusers rounds some, and what a
// model's scheduler does is honored.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "diffusion/level_settings.h"
#include "diffusion/precondition.h"

namespace diffusion {

struct SpacingEntry {
  std::string_view name;
  Spacing spacing;
  bool needs_timesteps;          // not for edm models
  std::string_view description;  // one line
};

std::span<const SpacingEntry> spacings();  // in the order of the enumeration
std::string_view to_string(Spacing spacing);
Spacing parse_spacing(std::string_view name);  // throws Error(usage) that lists the names

struct NoiseLevels {
  std::vector<double> sigmas;     // for n steps n + 1, as run_sampler() takes them
  std::vector<double> timesteps;  // n, in [0, T-1]; of a flow T t, in [0, T]; empty for edm
  double initial_std;
  std::vector<double> middles = {};  // sigmas for Pndm::middles, or none

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
