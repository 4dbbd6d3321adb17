#include "diffusion/samplers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace diffusion {

namespace {

// The DDIM family (Song et al. 2020, arXiv 2010.02502, eq. 12 and 16) in sigma space: an Euler step down to
// sigma_down, then fresh noise back up to sigma_next, sigma_down^2 + sigma_up^2 = sigma_next^2.
void ancestral_euler(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
                     double eta, std::span<double> x, const StepCallback& on_step) {
  std::vector<double> denoised(x.size()), injected(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], ratio = sigma_next / sigma;
    const double renewed =
        eta * std::sqrt(1 - ratio * ratio);  // share of the noise at sigma_next that is new
    const double sigma_up = sigma_next * renewed;
    const double sigma_down = sigma_next * std::sqrt(1 - renewed * renewed);

    denoise(x, sigma, denoised);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = denoised[k] + sigma_down / sigma * (x[k] - denoised[k]);
    if (sigma_up > 0) {
      noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigma, sigma_next, denoised, x});
  }
}

void ddpm(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
          const SamplerOptions&, std::span<double> x, const StepCallback& on_step) {
  ancestral_euler(denoise, sigmas, noise, 1, x, on_step);
}

void ddim(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
          const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  ancestral_euler(denoise, sigmas, noise, options.eta.value_or(0), x, on_step);
}

constexpr std::array<SamplerEntry, 2> kSamplers{{
    {"ddpm", ddpm, "ancestral sampling, Ho et al. 2020 (arXiv 2006.11239), Algorithm 2", true, false},
    {"ddim", ddim, "Song et al. 2020 (arXiv 2010.02502), eq. 12; eta 0 is deterministic", false, true},
}};

constexpr std::array<std::string_view, 3> kSpacingNames{"leading", "trailing", "linspace"};

void check_sigmas(std::span<const double> sigmas) {
  if (sigmas.size() < 2)
    throw Error(ErrorKind::usage,
                fmt::format("A sampler needs at least two noise levels; it got {}.", sigmas.size()));
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    const bool last = i + 1 == sigmas.size();
    const bool accepted = std::isfinite(sigmas[i]) && (sigmas[i] > 0 || (last && sigmas[i] == 0)) &&
                          (i == 0 || sigmas[i] < sigmas[i - 1]);
    if (!accepted)
      throw Error(ErrorKind::usage,
                  fmt::format("Noise level {} of a sampler is {}; levels must be finite, positive "
                              "(the last may be 0) and strictly descending.",
                              i, sigmas[i]));
  }
}

void check_options(const SamplerEntry& sampler, const NoiseSource& noise, const SamplerOptions& options) {
  if (options.eta && !sampler.takes_eta)
    throw Error(ErrorKind::usage, fmt::format("The sampler {} does not take the option eta.", sampler.name));
  const double eta = options.eta.value_or(0);
  if (!(eta >= 0 && eta <= 1))
    throw Error(ErrorKind::usage, fmt::format("The option eta of the sampler {} is {}; accepted are 0 to 1.",
                                              sampler.name, eta));
  if (!noise && (sampler.stochastic || eta > 0))
    throw Error(ErrorKind::usage, fmt::format("The sampler {} needs a source of noise.", sampler.name));
}

}  // namespace

NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image) {
  return [=](int draw, std::span<double> out) {
    if (elements_per_image == 0 || out.size() % elements_per_image != 0)
      throw Error(ErrorKind::usage, fmt::format("{} elements of noise are not whole images of {} elements.",
                                                out.size(), elements_per_image));
    for (std::size_t image = 0; image < out.size() / elements_per_image; ++image)
      fill_normal(RandomKey{.seed = seed,
                            .stream = Stream::sample_noise,
                            .sample = first_image + std::uint32_t(image),
                            .step = std::uint32_t(draw)},
                  out.subspan(image * elements_per_image, elements_per_image));
  };
}

std::span<const SamplerEntry> samplers() {
  return kSamplers;
}

const SamplerEntry& find_sampler(std::string_view name) {
  std::vector<std::string_view> names;
  for (const SamplerEntry& sampler : kSamplers) names.push_back(sampler.name);
  return kSamplers[index_of_name("sampler", name, names)];
}

void run_sampler(const SamplerEntry& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, const SamplerOptions& options, std::span<double> x,
                 const StepCallback& on_step) {
  check_sigmas(sigmas);
  check_options(sampler, noise, options);
  if (x.empty()) throw Error(ErrorKind::usage, "A sampler was given nothing to work on: x has no elements.");
  sampler.run(denoise, sigmas, noise, options, x, on_step);
  if (!std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); }))
    throw Error(
        ErrorKind::non_finite,
        fmt::format("The sampler {} ended with NaN or infinity; the network's weights or its input are not "
                    "usable.",
                    sampler.name));
}

std::string_view to_string(TimestepSpacing spacing) {
  return kSpacingNames.at(std::size_t(spacing));
}

TimestepSpacing parse_timestep_spacing(std::string_view name) {
  return TimestepSpacing(index_of_name("timestep spacing", name, kSpacingNames));
}

std::vector<int> sampling_timesteps(int T, int steps, TimestepSpacing spacing) {
  if (steps < 1 || steps > T)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} sampling steps were asked for; the model has {} timesteps, so accepted are 1 to {}.",
                    steps, T, T));
  std::vector<int> timesteps;
  for (int i = 0; i < steps; ++i) switch (spacing) {
      case TimestepSpacing::leading:
        timesteps.push_back((steps - 1 - i) * (T / steps));
        break;
      case TimestepSpacing::trailing: {
        // Rounds ties (T - i T / steps = k + 1/2) like numpy's arange, whose increment is a difference of its
        // first two elements; the plain product goes the other way for some step counts.
        const double increment = (double(T) - double(T) / steps) - double(T);
        timesteps.push_back(int(std::nearbyint(double(T) + i * increment)) - 1);
        break;
      }
      case TimestepSpacing::linspace: {
        const double increment = steps == 1 ? 0 : double(T - 1) / (steps - 1);
        timesteps.push_back(int(std::nearbyint((steps - 1 - i) * increment)));
        break;
      }
    }
  return timesteps;
}

std::vector<double> sampling_sigmas(const NoiseSchedule& schedule, std::span<const int> timesteps) {
  std::vector<double> sigmas;
  for (const int t : timesteps) sigmas.push_back(schedule.sigma(t));
  sigmas.push_back(0);
  return sigmas;
}

std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho) {
  if (steps < 1)
    throw Error(ErrorKind::usage,
                fmt::format("{} sampling steps were asked for; at least 1 is needed.", steps));
  if (!(sigma_min > 0 && sigma_min < sigma_max && std::isfinite(sigma_max) && rho >= 1 && std::isfinite(rho)))
    throw Error(
        ErrorKind::usage,
        fmt::format("Karras noise levels with sigma_min {}, sigma_max {} and rho {} do not exist; they need "
                    "0 < sigma_min < sigma_max < infinity and rho >= 1.",
                    sigma_min, sigma_max, rho));
  const double high = std::pow(sigma_max, 1 / rho), low = std::pow(sigma_min, 1 / rho);
  std::vector<double> sigmas{sigma_max};
  for (int i = 1; i < steps; ++i)
    sigmas.push_back(std::pow(high + double(i) / (steps - 1) * (low - high), rho));
  sigmas.push_back(0);
  return sigmas;
}

}  // namespace diffusion
