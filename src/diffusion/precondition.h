#pragma once

// How the raw network F becomes a denoiser D, the estimate of the clean image y in x = y + sigma n:
//   D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)          (Karras et al. 2022, arXiv 2206.00364, eq. 7)
// Everything that depends on what F predicts is here: scalings, noise levels of training, and loss weights.

#include <string_view>
#include <variant>

#include "base/rng.h"
#include "diffusion/schedule.h"

namespace diffusion {

// What F predicts. With alpha = 1 / sqrt(1 + sigma^2), the VP amplitude sqrt(alphas_cumprod):
//   epsilon  n                                              (Ho et al. 2020)
//   v        alpha n - alpha sigma y                        (Salimans & Ho 2022, arXiv 2202.00512)
//   x0       y
//   edm      (y - c_skip x) / c_out with scalings that keep input and target at unit variance (Karras et al.
//            2022)
//   flow     n - y, the velocity of x_t = (1 - t) y + t n      (Lipman et al. 2023, arXiv 2210.02747; Liu et
//            al. 2023)
enum class Objective { epsilon, v, x0, edm, flow };

std::string_view to_string(Objective objective);
Objective parse_objective(std::string_view name);  // throws Error(usage) that lists the names

struct Scalings {
  double c_skip, c_out, c_in;
  double c_noise;  // F's time input: a timestep in [0, T-1], not rounded; ln(sigma) / 4 for edm; T t for flow
};

// Defaults: Karras et al. 2022, table 1.
struct EdmParameters {
  double sigma_data = 0.5;                   // standard deviation of the data, pixels in [-1, 1]
  double sigma_min = 0.002, sigma_max = 80;  // range of sampling
  double p_mean = -1.2, p_std = 1.2;         // training: ln sigma ~ N(p_mean, p_std^2)
  // Models that others trained may mean other things; we train none of these. Time is what F is told:
  // ln(sigma) / 4, or 2 / pi arctan(sigma), from 0 to 1 (with sigma_data 1 and `negated` F then predicts v
  // over x_t = cos(pi t / 2) y + sin(pi t / 2) n).
  enum class Time { quarter_log, angle };
  Time time = Time::quarter_log;
  bool negated = false;  // F predicts -(y - c_skip x) / c_out
};

// A rectified flow x_t = (1 - t) y + t n, t from 0 (data) to 1 (noise). Divided by 1 - t it is y + sigma n
// with sigma = t / (1 - t).
struct FlowParameters {
  int num_train_timesteps = 1000;  // T: the network is told T t
  // Training: log(t / (1 - t)), which is ln sigma, ~ N(logit_mean, logit_std^2): "logit-normal" (Esser et al.
  // 2024, arXiv 2403.03206, section 3.1).
  double logit_mean = 0, logit_std = 1;
};

// A value. Immutable after construction.
class Preconditioner {
 public:
  // epsilon, v or x0 over the timesteps of a schedule. Throws Error(usage) for edm and flow.
  Preconditioner(Objective objective, NoiseSchedule schedule);
  // edm. Throws Error(usage) unless sigma_data, p_std > 0 and 0 < sigma_min < sigma_max.
  explicit Preconditioner(const EdmParameters& parameters);
  // flow. Throws Error(usage) unless 3 <= T <= 1,000,000, logit_mean is finite and logit_std > 0.
  explicit Preconditioner(const FlowParameters& parameters);

  Objective objective() const { return objective_; }
  // The schedule of a discrete model; null for edm and flow. Lives as long as this object.
  const NoiseSchedule* schedule() const { return std::get_if<NoiseSchedule>(&levels_); }

  // The parameters of an edm or flow model; null for others.
  const EdmParameters* edm() const { return std::get_if<EdmParameters>(&levels_); }
  const FlowParameters* flow() const { return std::get_if<FlowParameters>(&levels_); }

  // Throws Error(usage) unless 0 < sigma < infinity. Between and beyond the levels of a discrete model only
  // c_noise knows the table, see NoiseSchedule::timestep_of_sigma.
  Scalings scalings(double sigma) const;

  // The lowest and highest noise level of the model. flow: those of t = 1 / T and 1 - 1 / T.
  double sigma_min() const;
  double sigma_max() const;

  // The noise level below which a share u of the training examples lies, u in [0, 1); for uniform u, one that
  // is drawn. Discrete: sigma(t), t uniform in [0, T); edm and flow: log-normal.
  double sigma_at(double u) const;

  // Standard deviation of the x a sampler starts from at `sigma`: x = initial_std n. Discrete models start
  // from N(0, 1) in VP form, so sqrt(1 + sigma^2); edm: sigma; flow: x_t is N(0, 1), so 1 + sigma.
  double initial_std(double sigma) const;

  // x times this is the state as papers have it, which stays in the range of a picture: 1 / sqrt(1 + sigma^2)
  // for the VP form, and 1 - t = 1 / (1 + sigma) for flow.
  double picture_scale(double sigma) const;

 private:
  Objective objective_;
  std::variant<NoiseSchedule, EdmParameters, FlowParameters> levels_;
};

// Weight of a noise level on the squared (or Huber) error of F. SNR = 1 / sigma^2.
//   uniform  1 (for edm this is the paper's lambda(sigma) c_out^2 = 1)
//   p2       1 / (p2_k + SNR)^p2_gamma, whatever F predicts (Choi et al. 2022, arXiv 2204.00227)
//   min_snr  min(SNR, gamma) on the error of D, so min(SNR, gamma) c_out^2 on that of F: min(SNR, gamma) /
//            SNR for epsilon, min(SNR, gamma) / (SNR + 1) for v, min(SNR, gamma) for x0 (Hang et al. 2023,
//            arXiv 2303.09556), and min(SNR, gamma) t^2 for flow
enum class WeightingKind { uniform, p2, min_snr };

std::string_view to_string(WeightingKind kind);
WeightingKind parse_weighting_kind(std::string_view name);  // throws Error(usage) that lists the names

struct Weighting {
  WeightingKind kind = WeightingKind::uniform;
  double p2_k = 1, p2_gamma = 1;  // p2_k > 0; p2_gamma >= 0, and 0 is uniform
  double min_snr_gamma = 5;       // > 0
};

// Throws Error(usage) if sigma or a parameter of the weighting in use is out of range.
double loss_weight(const Weighting& weighting, const Preconditioner& preconditioner, double sigma);

}  // namespace diffusion
