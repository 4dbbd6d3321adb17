#pragma once

// From noise to pictures. A sampler is a free function that knows the denoiser D(x; sigma), a list of noise
// levels and a source of noise: neither network nor schedule. Its state is the VE form x = y + sigma n in
// double; the VP state of a discrete model is x / sqrt(1 + sigma^2), and that of a rectified flow is
// (1 - t) x with t = sigma / (1 + sigma). All are one ODE, dx/dsigma = (x - D(x; sigma)) / sigma.
//
// To add one: a function in a file sampler_*.cpp, its declaration in sampler_functions.h, and a row in the
// table of samplers.cpp; the tests go through the table.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "diffusion/spacings.h"

namespace diffusion {

// Writes the estimate of the clean image at noise level sigma > 0. Both spans have the same size; denoised is
// not x.
using Denoiser = std::function<void(std::span<const double> x, double sigma, std::span<double> denoised)>;

// Changes an estimate of the clean image in place, to keep it in range (guidance.h).
using DenoisedLimit = std::function<void(std::span<double> denoised)>;

// Fills `out` with N(0, 1), as a pure function of `draw`. Draw 0 is the start of the sampling, draw i + 1
// belongs to step i of the sampler.
using NoiseSource = std::function<void(int draw, std::span<double> out)>;

// Noise in which image k of a seed is the same bytes alone and in any batch: sample = first_image + place in
// the batch, step = draw, Stream::sample_noise. Throws Error(usage) when filling something other than whole
// images.
NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image);

// Variance of the noise that a step of ddpm adds (Ho et al. 2020, section 3.2): that of the posterior
// q(x_{t-1} | x_t, x_0), or beta_t. diffusers: fixed_small, fixed_large.
enum class DdpmVariance { posterior, beta };

// Each is for the samplers whose table row names it, and refused by the others.
struct SamplerOptions {
  // Fresh noise: 0 none .. 1 as much as the reverse SDE. ddim (default 0), euler_ancestral and dpmpp_*_sde
  // (default 1).
  std::optional<double> eta = {};
  // Of edm, Karras et al. 2022, algorithm 2. Before a step from a sigma in [s_tmin, s_tmax] noise of s_noise
  // N(0, 1) raises sigma by the factor 1 + min(s_churn / steps, sqrt(2) - 1).
  std::optional<double> s_churn = {};         // default 40, theirs for ImageNet; 0 is heun
  std::optional<double> s_tmin = {};          // default 0
  std::optional<double> s_tmax = {};          // default infinity
  std::optional<double> s_noise = {};         // default 1
  std::optional<DdpmVariance> variance = {};  // of ddpm, default posterior
  // Of dpmpp_*, unipc* and deis*, default true: with fewer than 15 steps (unipc*: always) the order is at
  // most the number of steps left.
  std::optional<bool> lower_order_final = {};
  std::optional<bool> euler_at_final = {};  // of dpmpp_*, default false: the last step is of first order
  // Of dpmpp_*, default false: a step of second order weighs the slope of D by its integral (diffusers:
  // solver_type heun) and not by that of its middle, (1 - exp(-q)) / 2.
  std::optional<bool> heun = {};
  // Of unipc*, default false: B(h) = -h, which matters where a step has one other value of D.
  std::optional<bool> bh1 = {};
  // Of pndm: sigmas between the first levels, one for each of the first steps, which then are Runge-Kutta
  // steps of fourth order (Liu et al. 2022, the "PRK" of diffusers): 4 evaluations each.
  std::vector<double> middles = {};
  // Of ddim: applied to D where it is the picture, but not where D tells the noise, as in diffusers. (A
  // denoiser that is limited itself, limit_denoised(), does both.)
  DenoisedLimit limit = {};
};

// One finished step. The spans die with the callback.
struct SamplerStep {
  int index, count;                  // 0 .. count-1
  double sigma, sigma_next;          // from where to where
  std::span<const double> denoised;  // D at sigma, or at the last level of this step that was evaluated
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
  LevelConvention convention;  // that of its counterpart in diffusers
  bool stochastic;             // draws noise with default options
  bool small_steps;            // goes wrong where sigma falls by a large factor in a step, see below
  bool consistency;            // D must be a consistency function, see below
  int order;        // the error of the ODE's solution falls as steps^-order, see below; 0: not of the ODE
  int evaluations;  // of D in a step; one in a step to 0
  int extra_evaluations;                      // in the first of several steps
  std::span<const std::string_view> options;  // that it takes, by name in SamplerOptions
};

// `order` is what a test measures from sigma 80 down to 0.002 on Karras' levels. The first steps have little
// history, but at high noise D hardly changes, so this does not show; from a low noise level most multistep
// samplers are of order 2. pndm and ipndm are of order 4 where the levels are equally spaced.
//
// small_steps: these average slopes at both ends of a step over sigma. Where the first sigma is 1000 times
// the second, as it can be for timesteps of the cosine schedule or with zero terminal SNR, an error at the
// second counts 500-fold. Spacing::logsnr suits them on every model.
//
// consistency: D must tell where the ODE ends that passes through x, as models of `diffusion distill` do, not
// the mean of all images that x can come from. Spacing::angle suits it.
std::span<const SamplerEntry> samplers();
const SamplerEntry& find_sampler(std::string_view name);  // throws Error(usage) that lists the names

// How often a sampler calls D on the way down these levels, with so many SamplerOptions::middles.
int evaluations_of(const SamplerEntry& sampler, std::span<const double> sigmas, std::size_t middles = 0);

// Runs a sampler. on_step may be empty, and so may noise if nothing draws it. Throws Error(usage) unless
// there are at least two sigmas, finite, strictly descending and positive but for a last 0, x is not empty,
// and the options are ones that this sampler takes, in range. The last sigma may also repeat the one before
// it: diffusers has schedulers whose last step does nothing, and so does that step here. Error(non_finite) if
// x ends with NaN or infinity.
//
// The samplers that combine several D start with lower orders. Those over log sigma (dpmpp_*, unipc*, deis*)
// do as diffusers does at the end, too: a step to 0 is of first order, and see
// SamplerOptions::lower_order_final.
void run_sampler(const SamplerEntry& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, const SamplerOptions& options, std::span<double> x,
                 const StepCallback& on_step = {});

}  // namespace diffusion
