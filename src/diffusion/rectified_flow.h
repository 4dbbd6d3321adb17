#pragma once

#include "diffusion/process_facts.h"
#include "diffusion/spacings.h"

namespace diffusion {

// A rectified flow x_t = (1 - t) y + t n, t from 0 (data) to 1 (noise) (Liu et al. 2023, arXiv 2209.03003).
// Divided by 1 - t it is y + sigma n with sigma = t / (1 - t). noise_process.h says what the functions are.
struct RectifiedFlow {
  int num_train_timesteps = 1000;  // T: the network is told T t
  // Training: log(t / (1 - t)), which is ln sigma, ~ N(logit_mean, logit_std^2): "logit-normal" (Esser et al.
  // 2024, arXiv 2403.03206, section 3.1).
  double logit_mean = 0, logit_std = 1;

  void check() const;  // Error(usage) unless 3 <= T <= 1,000,000, logit_mean is finite and logit_std > 0
  ProcessFacts facts() const;
  Scalings scalings(double sigma) const;
  LevelRange range() const;                                             // of t = 1 / T and 1 - 1 / T
  double sigma_at(double u) const;                                      // log-normal
  double initial_std(double sigma) const { return 1 + sigma; }          // x_t is N(0, 1)
  double picture_scale(double sigma) const { return 1 / (1 + sigma); }  // 1 - t
  NoiseLevels levels(int steps, const LevelSettings& settings) const;
  ProcessText text() const;
};

}  // namespace diffusion
