#pragma once

// From noise to pictures. A sampler is a free function that knows the denoiser D(x; sigma), a list of noise
// levels and a source of noise: neither network nor schedule. Its state is the VE form x = y + sigma n in
// double; the VP state of a discrete model is x / sqrt(1 + sigma^2).
//
// To add one: a function in samplers.cpp and a row in its table; the tests go through the table.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "diffusion/schedule.h"

namespace diffusion {

// Writes the estimate of the clean image at noise level sigma > 0. Both spans have the same size; denoised is
// not x.
using Denoiser = std::function<void(std::span<const double> x, double sigma, std::span<double> denoised)>;

// Fills `out` with N(0, 1), as a pure function of `draw`. Draw 0 is the start of the sampling, draw i + 1
// belongs to step i of the sampler.
using NoiseSource = std::function<void(int draw, std::span<double> out)>;

// Noise in which image k of a seed is the same bytes alone and in any batch: sample = first_image + place in
// the batch, step = draw, Stream::sample_noise. Throws Error(usage) when filling something other than whole
// images.
NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image);

struct SamplerOptions {
  std::optional<double> eta;  // noise of ddim: 0 none (its default) .. 1 as much as ddpm
};

// One finished step. The spans die with the callback.
struct SamplerStep {
  int index, count;                  // 0 .. count-1
  double sigma, sigma_next;          // from where to where
  std::span<const double> denoised;  // D at sigma
  std::span<const double> x;         // the state at sigma_next
};
using StepCallback = std::function<void(const SamplerStep& step)>;  // may throw, to stop

// sigmas: n + 1 descending levels for n steps; x comes in at sigmas.front() and goes out at sigmas.back().
using SamplerFunction = void (*)(const Denoiser& denoise, std::span<const double> sigmas,
                                 const NoiseSource& noise, const SamplerOptions& options, std::span<double> x,
                                 const StepCallback& on_step);

struct SamplerEntry {
  std::string_view name;
  SamplerFunction run;         // call it through run_sampler, which checks the arguments
  std::string_view reference;  // what it is and where it comes from, one line
  bool stochastic;             // draws noise with default options
  bool takes_eta;
};

std::span<const SamplerEntry> samplers();
const SamplerEntry& find_sampler(std::string_view name);  // throws Error(usage) that lists the names

// Runs a sampler. on_step may be empty, and so may noise if nothing draws it. Throws Error(usage) unless
// there are at least two sigmas, finite, strictly descending and positive but for a last 0, x is not empty,
// and the options are ones that this sampler takes, in range; Error(non_finite) if x ends with NaN or
// infinity.
void run_sampler(const SamplerEntry& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, const SamplerOptions& options, std::span<double> x,
                 const StepCallback& on_step = {});

// Which of T training timesteps a sampler visits, as in diffusers (integers, descending):
//   leading   i floor(T / steps): ends at 0, may start far below T-1
//   trailing  round(T - i T / steps) - 1: starts at T-1
//   linspace  from T-1 to 0, equally spaced and rounded (one step: 0)
enum class TimestepSpacing { leading, trailing, linspace };

std::string_view to_string(TimestepSpacing spacing);
TimestepSpacing parse_timestep_spacing(std::string_view name);  // throws Error(usage) that lists the names

// Throws Error(usage) unless 1 <= steps <= num_train_timesteps.
std::vector<int> sampling_timesteps(int num_train_timesteps, int steps, TimestepSpacing spacing);

// The sigma of each timestep, and 0. Throws Error(usage) if a timestep is outside the schedule.
std::vector<double> sampling_sigmas(const NoiseSchedule& schedule, std::span<const int> timesteps);

// `steps` levels from sigma_max to sigma_min, and 0 (Karras et al. 2022, eq. 5):
//   sigma_i = (sigma_max^(1/rho) + i / (steps - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho.
// Throws Error(usage) unless steps >= 1, 0 < sigma_min < sigma_max < infinity and rho >= 1.
std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho = 7);

}  // namespace diffusion
