#pragma once

#include "diffusion/process_facts.h"
#include "diffusion/spacings.h"

namespace diffusion {

// The process of Karras et al. 2022 (arXiv 2206.00364), whose time is sigma; defaults as in their table 1.
// noise_process.h says what the functions are.
struct EdmProcess {
  double sigma_data = 0.5;                   // standard deviation of the data, pixels in [-1, 1]
  double sigma_min = 0.002, sigma_max = 80;  // range of sampling
  double p_mean = -1.2, p_std = 1.2;         // training: ln sigma ~ N(p_mean, p_std^2)
  // Models that others trained may mean other things; we train none of these. Time is what F is told:
  // ln(sigma) / 4, or 2 / pi arctan(sigma), from 0 to 1 (with sigma_data 1 and `negated` F then predicts v
  // over x_t = cos(pi t / 2) y + sin(pi t / 2) n).
  enum class Time { quarter_log, angle };
  Time time = Time::quarter_log;
  bool negated = false;  // F predicts -(y - c_skip x) / c_out

  void check() const;  // Error(usage) unless sigma_data, p_std > 0 and 0 < sigma_min < sigma_max
  ProcessFacts facts() const { return {.objective = Objective::edm, .small_steps = true}; }
  Scalings scalings(double sigma) const;
  LevelRange range() const { return {sigma_min, sigma_max}; }
  double sigma_at(double u) const;  // log-normal
  double initial_std(double sigma) const { return sigma; }
  double picture_scale(double sigma) const;  // 1 / sqrt(1 + sigma^2)
  NoiseLevels levels(int steps, const LevelSettings& settings) const;
  ProcessText text() const;
};

}  // namespace diffusion
