#pragma once

// How the raw network F becomes a denoiser D, the estimate of the clean image y in x = y + sigma n:
//   D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)          (Karras et al. 2022, arXiv 2206.00364, eq. 7)
// and what a noise level counts in training.

#include <string_view>
#include <variant>

#include "diffusion/noise_process.h"

namespace diffusion {

// The noise process of a model, whichever it is. A value, immutable after construction.
class Preconditioner {
 public:
  Preconditioner(NoiseProcess process);  // throws Error(usage) if a parameter is out of range
  Preconditioner(Objective objective, NoiseSchedule schedule);  // VariancePreserving

  // Which one it is matters to what writes files of it, and to what exists for one only. These are null if it
  // is another, and live as long as this object.
  template <class Process>
  const Process* as() const {
    return std::get_if<Process>(&process_);
  }
  const NoiseSchedule* schedule() const;  // of a VariancePreserving

  Objective objective() const { return facts().objective; }
  ProcessFacts facts() const;

  // Throws Error(usage) unless 0 < sigma < infinity. Between and beyond the levels of a discrete model only
  // c_noise knows the table, see NoiseSchedule::timestep_of_sigma.
  Scalings scalings(double sigma) const;

  // As noise_process.h says.
  double sigma_min() const;
  double sigma_max() const;
  double sigma_at(double u) const;
  double initial_std(double sigma) const;
  double picture_scale(double sigma) const;
  ProcessText text() const;
  NoiseLevels levels(int steps, const LevelSettings& settings) const;

 private:
  NoiseProcess process_;
};

// `steps` levels, fewer for trailing with sigma_max, and 0. Throws Error(usage) if steps < 1, if the model
// has no timesteps and the spacing needs them, if steps are so many that a level would come twice, and if the
// settings are out of range.
NoiseLevels noise_levels(const Preconditioner& preconditioner, int steps, const LevelSettings& settings = {});

// Weight of a noise level on the squared (or Huber) error of F. SNR = 1 / sigma^2.
//   uniform  1 (for edm this is the paper's lambda(sigma) c_out^2 = 1)
//   p2       1 / (p2_k + SNR)^p2_gamma, whatever F predicts (Choi et al. 2022, arXiv 2204.00227)
//   min_snr  min(SNR, gamma) on the error of D, so min(SNR, gamma) c_out^2 on that of F: min(SNR, gamma) /
//            SNR for epsilon, min(SNR, gamma) / (SNR + 1) for v, min(SNR, gamma) for x0 (Hang et al. 2023,
//            arXiv 2303.09556), and min(SNR, gamma) t^2 for flow
enum class WeightingKind { uniform, p2, min_snr };

std::string_view to_string(WeightingKind kind);

struct Weighting {
  WeightingKind kind = WeightingKind::uniform;
  double p2_k = 1, p2_gamma = 1;  // p2_k > 0; p2_gamma >= 0, and 0 is uniform
  double min_snr_gamma = 5;       // > 0
};

// Throws Error(usage) if sigma or a parameter of the weighting in use is out of range.
double loss_weight(const Weighting& weighting, const Preconditioner& preconditioner, double sigma);

}  // namespace diffusion
