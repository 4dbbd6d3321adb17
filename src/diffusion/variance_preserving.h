#pragma once

#include "diffusion/process_facts.h"
#include "diffusion/schedule.h"
#include "diffusion/spacings.h"

namespace diffusion {

// The process of a table of T timesteps, x_t = sqrt(alphas_cumprod[t]) y + sqrt(1 - alphas_cumprod[t]) n (Ho
// et al. 2020, arXiv 2006.11239). noise_process.h says what the functions are.
struct VariancePreserving {
  Objective objective;  // epsilon, v or x0
  NoiseSchedule schedule;

  void check() const;  // Error(usage) for another objective, and without timesteps
  ProcessFacts facts() const;
  Scalings scalings(double sigma) const;
  LevelRange range() const { return {schedule.sigmas.front(), schedule.sigmas.back()}; }
  double sigma_at(double u) const;           // sigma(t), t uniform in [0, T)
  double initial_std(double sigma) const;    // sqrt(1 + sigma^2): from N(0, 1) in VP form
  double picture_scale(double sigma) const;  // 1 / sqrt(1 + sigma^2)
  NoiseLevels levels(int steps, const LevelSettings& settings) const;
  ProcessText text() const;
};

}  // namespace diffusion
