#include "diffusion/schedule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include <diffusion/error.h>
#include "base/names.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 5> kScheduleNames{"linear", "scaled_linear", "cosine", "quadratic",
                                                         "sigmoid"};
constexpr int kMaxTimesteps = 1'000'000;
constexpr double kTerminalSignalLimit = 0.1;

double lerp_at(double start, double end, int i, int count) {
  return count == 1 ? start : start + (end - start) * i / (count - 1);
}

double cosine_alpha_bar(double time) {
  const double c = std::cos((time + 0.008) / 1.008 * std::numbers::pi / 2);
  return c * c;
}

double beta_at(ScheduleKind kind, int i, int T, double beta_start, double beta_end) {
  switch (kind) {
    case ScheduleKind::linear:
      return lerp_at(beta_start, beta_end, i, T);
    case ScheduleKind::scaled_linear:
    case ScheduleKind::quadratic: {
      const double root = lerp_at(std::sqrt(beta_start), std::sqrt(beta_end), i, T);
      return root * root;
    }
    case ScheduleKind::cosine:
      return std::min(1 - cosine_alpha_bar(double(i + 1) / T) / cosine_alpha_bar(double(i) / T), 0.999);
    case ScheduleKind::sigmoid:
      return beta_start + (beta_end - beta_start) / (1 + std::exp(-lerp_at(-6, 6, i, T)));
  }
  throw Error(ErrorKind::internal, "A noise schedule has a kind that does not exist.");
}

void check_timesteps(int T) {
  if (T < 1 || T > kMaxTimesteps)
    throw Error(ErrorKind::usage, fmt::format("The number of training timesteps is {}; accepted are 1 to {}.",
                                              T, kMaxTimesteps));
}

double entry(const std::vector<double>& table, int t) {
  if (t < 0 || std::size_t(t) >= table.size())
    throw Error(ErrorKind::usage,
                fmt::format("Timestep {} is outside the noise schedule, which has timesteps 0 to {}.", t,
                            std::ptrdiff_t(table.size()) - 1));
  return table[std::size_t(t)];
}

}  // namespace

std::string_view to_string(ScheduleKind kind) {
  return kScheduleNames.at(std::size_t(kind));
}

ScheduleKind parse_schedule_kind(std::string_view name) {
  return ScheduleKind(index_of_name("noise schedule", name, kScheduleNames));
}

double NoiseSchedule::beta(int t) const {
  return entry(betas, t);
}
double NoiseSchedule::alpha_cumprod(int t) const {
  return entry(alphas_cumprod, t);
}
double NoiseSchedule::sigma(int t) const {
  return entry(sigmas, t);
}

double NoiseSchedule::snr(int t) const {
  const double a = alpha_cumprod(t);
  return a / (1 - a);
}

double NoiseSchedule::terminal_snr() const {
  return snr(num_train_timesteps - 1);
}

double NoiseSchedule::timestep_of_sigma(double sigma) const {
  if (!(sigma >= 0))
    throw Error(ErrorKind::usage,
                fmt::format("The noise level sigma is {}; it must not be negative.", sigma));
  if (sigma <= sigmas.front()) return 0;
  if (sigma >= sigmas.back()) return double(sigmas.size() - 1);
  const auto above = std::upper_bound(sigmas.begin(), sigmas.end(), sigma);
  const double low = above[-1], t = double(above - sigmas.begin() - 1);
  return t + std::log(sigma / low) / std::log(*above / low);
}

NoiseSchedule make_schedule(ScheduleKind kind, int T, double beta_start, double beta_end) {
  check_timesteps(T);
  for (const auto& [name, value] : {std::pair{"beta_start", beta_start}, std::pair{"beta_end", beta_end}})
    if (!(value > 0 && value < 1))
      throw Error(ErrorKind::usage,
                  fmt::format("{} of the noise schedule is {}; it must lie between 0 and 1, "
                              "both excluded.",
                              name, value));

  std::vector<double> betas;
  for (int i = 0; i < T; ++i) betas.push_back(beta_at(kind, i, T, beta_start, beta_end));
  return with_betas({kind, T, beta_start, beta_end, {}, {}, {}}, betas);
}

NoiseSchedule with_betas(const NoiseSchedule& named, std::span<const double> betas) {
  NoiseSchedule schedule{named.kind, named.num_train_timesteps, named.beta_start, named.beta_end, {}, {}, {}};
  if (betas.size() != std::size_t(schedule.num_train_timesteps))
    throw Error(ErrorKind::usage, fmt::format("A noise schedule of {} timesteps was given {} betas.",
                                              schedule.num_train_timesteps, betas.size()));
  double product = 1, previous_sigma = 0;
  for (const double beta : betas) {
    product *= 1 - beta;
    const double sigma = std::sqrt((1 - product) / product);
    if (!(sigma > previous_sigma) || !std::isnormal(product))
      throw Error(
          ErrorKind::usage,
          fmt::format("The {} noise schedule with {} timesteps, beta_start {} and beta_end {} cannot be "
                      "represented: at timestep {} beta is {} and alphas_cumprod is {}, so the noise level "
                      "no longer grows. Use fewer timesteps or less extreme betas.",
                      to_string(schedule.kind), schedule.num_train_timesteps, schedule.beta_start,
                      schedule.beta_end, schedule.betas.size(), beta, product));
    schedule.betas.push_back(beta);
    schedule.alphas_cumprod.push_back(product);
    schedule.sigmas.push_back(sigma);
    previous_sigma = sigma;
  }
  return schedule;
}

double beta_scale_auto(int num_train_timesteps) {
  check_timesteps(num_train_timesteps);
  return 1000.0 / num_train_timesteps;
}

NoiseSchedule rescale_zero_terminal_snr(const NoiseSchedule& schedule) {
  constexpr double kLastAmplitude = 0x1p-12;
  if (schedule.num_train_timesteps < 2)
    throw Error(
        ErrorKind::usage,
        "A noise schedule of 1 timestep cannot be rescaled to zero terminal SNR; accepted are 2 or more.");
  const double first = std::sqrt(schedule.alphas_cumprod.front()),
               last = std::sqrt(schedule.alphas_cumprod.back());
  NoiseSchedule rescaled = schedule;
  rescaled.zero_terminal_snr = true;
  double previous = 1;
  for (std::size_t t = 0; t < schedule.alphas_cumprod.size(); ++t) {
    double amplitude = (std::sqrt(schedule.alphas_cumprod[t]) - last) * first / (first - last);
    if (t + 1 == schedule.alphas_cumprod.size())
      amplitude = kLastAmplitude < std::sqrt(previous) ? kLastAmplitude : std::sqrt(previous) / 2;
    const double product = amplitude * amplitude;
    if (!(product < previous) || !std::isnormal(product))
      throw Error(
          ErrorKind::usage,
          fmt::format("The {} noise schedule with {} timesteps cannot be rescaled to zero terminal SNR: at "
                      "timestep {} alphas_cumprod would be {}, and at the one before {}.",
                      to_string(schedule.kind), schedule.num_train_timesteps, t, product, previous));
    rescaled.alphas_cumprod[t] = product;
    rescaled.betas[t] = 1 - product / previous;
    rescaled.sigmas[t] = std::sqrt((1 - product) / product);
    previous = product;
  }
  return rescaled;
}

std::optional<std::string> terminal_snr_warning(const NoiseSchedule& schedule) {
  const int T = schedule.num_train_timesteps;
  const double signal = std::sqrt(schedule.alpha_cumprod(T - 1));
  if (signal <= kTerminalSignalLimit) return std::nullopt;

  const double scale = beta_scale_auto(T);
  std::string advice = "Use larger betas or the cosine schedule.";
  if (scale > 1) {
    advice = "Use more timesteps (1000 is usual), the cosine schedule";
    if (schedule.kind != ScheduleKind::cosine && std::max(schedule.beta_start, schedule.beta_end) * scale < 1)
      advice += fmt::format(", or betas scaled by 1000/T (beta_start {:.4g}, beta_end {:.4g})",
                            schedule.beta_start * scale, schedule.beta_end * scale);
    advice += ".";
  }
  return fmt::format(
      "The noise schedule does not end in pure noise: at the last of its {} timesteps sqrt(alphas_cumprod) "
      "is {:.3f} "
      "(signal-to-noise ratio {:.3g}; it should be near 0). Sampling starts from pure noise N(0, 1), which "
      "the "
      "network never saw in training, so its first estimates, and with them the brightness and large shapes "
      "of the "
      "pictures, are wrong. {}",
      T, signal, schedule.terminal_snr(), advice);
}

}  // namespace diffusion
