#pragma once

// Discrete noise schedules of variance-preserving (VP) diffusion (Ho et al. 2020, arXiv 2006.11239).
//   x_t = sqrt(alphas_cumprod[t]) x_0 + sqrt(1 - alphas_cumprod[t]) epsilon,
//   alphas_cumprod[t] = (1 - betas[0]) ... (1 - betas[t]),     t = 0 .. T-1 as in diffusers (a paper's t is
//   ours + 1).
// The rest of the program works at noise level sigma: x = y + sigma n, and x_t = x / sqrt(1 + sigma^2).

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

// linear         betas equally spaced from beta_start to beta_end
// scaled_linear  sqrt(betas) equally spaced (latent diffusion)
// cosine         Nichol & Dhariwal 2021 (s = 0.008), betas capped at 0.999; diffusers: "squaredcos_cap_v2".
//                Uses neither beta_start nor beta_end.
// quadratic      the same formula as scaled_linear, under the name that tutorials use
// sigmoid        betas on a logistic curve over [-6, 6], from beta_start to beta_end (GeoDiff)
enum class ScheduleKind { linear, scaled_linear, cosine, quadratic, sigmoid };

std::string_view to_string(ScheduleKind kind);
ScheduleKind parse_schedule_kind(std::string_view name);  // throws Error(usage) that lists the names

// Made by make_schedule, which guarantees: every table has num_train_timesteps >= 1 entries, 0 < beta < 1,
// and sigmas are positive, finite and strictly increasing.
struct NoiseSchedule {
  ScheduleKind kind = ScheduleKind::linear;
  int num_train_timesteps = 0;  // T
  double beta_start = 0, beta_end = 0;
  std::vector<double> betas, alphas_cumprod;
  std::vector<double> sigmas;      // sqrt((1 - alphas_cumprod) / alphas_cumprod)
  bool zero_terminal_snr = false;  // made by rescale_zero_terminal_snr

  // t in [0, T), otherwise Error(usage).
  double beta(int t) const;
  double alpha_cumprod(int t) const;
  double sigma(int t) const;
  double snr(int t) const;  // alphas_cumprod / (1 - alphas_cumprod) = 1 / sigma^2

  double terminal_snr() const;  // snr(T - 1)

  // The inverse of sigma(t): exactly t at a table entry, linear in log sigma between two, and 0 or T-1
  // outside the table. Throws Error(usage) if sigma is NaN or negative.
  double timestep_of_sigma(double sigma) const;
};

// Throws Error(usage) unless 1 <= T <= 1,000,000, both betas are in (0, 1), and the resulting sigmas can be
// told apart in double precision.
NoiseSchedule make_schedule(ScheduleKind kind, int num_train_timesteps, double beta_start = 1e-4,
                            double beta_end = 0.02);

// The schedule with these betas instead, T of them; kind, beta_start and beta_end stay what they are called.
// Errors as make_schedule.
NoiseSchedule with_betas(const NoiseSchedule& schedule, std::span<const double> betas);

// 1000 / T. The default betas are made for T = 1000; with beta_start and beta_end times this factor, a
// schedule of T steps (of any kind but cosine, which needs no help) ends at about the same noise level.
// Errors as make_schedule.
double beta_scale_auto(int num_train_timesteps);

// The schedule changed so that it ends in noise and nothing else (Lin et al. 2023, arXiv 2305.08891,
// algorithm 1): the amplitudes sqrt(alphas_cumprod) are shifted and scaled, the first stays, and the last
// becomes 0; betas follow. As an amplitude of 0 would be an infinite sigma, the last is 2^-12 here (sigma
// 4096, as in diffusers' samplers over sigma), or half of the one before where that is not more.
// noise_levels() has more to say of it. Throws Error(usage) if T is 1 or amplitudes cannot be told apart.
NoiseSchedule rescale_zero_terminal_snr(const NoiseSchedule& schedule);

// What to tell a person if sqrt(alphas_cumprod[T-1]), the share of the picture left at the last timestep, is
// more than 0.1: training then never sees pure noise, although sampling starts from it (Lin et al. 2023,
// arXiv 2305.08891). The bound is a convention: every published schedule that works lies below (Ho et al.
// 0.006, Stable Diffusion 0.068), and at 0.1 the picture is 1 % of the variance. nullopt: nothing to say.
std::optional<std::string> terminal_snr_warning(const NoiseSchedule& schedule);

}  // namespace diffusion
