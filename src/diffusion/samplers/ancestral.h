#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// Variance of the noise that a step of ddpm adds (Ho et al. 2020, section 3.2): that of the posterior
// q(x_{t-1} | x_t, x_0), or beta_t. diffusers: fixed_small, fixed_large.
enum class DdpmVariance { posterior, beta };

// Changes an estimate of the clean image in place, to keep it in range (guidance.h).
using DenoisedLimit = std::function<void(std::span<double> denoised)>;

// Ancestral sampling, Ho et al. 2020 (arXiv 2006.11239), Algorithm 2.
struct Ddpm {
  DdpmVariance variance = DdpmVariance::posterior;

  SamplerFacts facts() const {
    return {.stochastic = true, .usual_steps = 50, .grid = LevelGrid::whole_timesteps};
  }
};

// Song et al. 2020 (arXiv 2010.02502), eq. 12. Without fresh noise it may go up as well as down: then it is
// DDIM inversion, which leads from a picture to the noise that it would come from.
struct Ddim {
  double eta = 0;  // fresh noise: 0 none .. 1 as much as ddpm
  // Applied to D where it is the picture, but not where D tells the noise, as in diffusers; may be empty. (A
  // denoiser that is limited itself, limit_denoised(), does both.)
  DenoisedLimit limit = {};

  static constexpr auto options() { return std::array{SamplerOption<Ddim>{"eta", &Ddim::eta, 0, 1}}; }
  SamplerFacts facts() const {
    return {.order = eta > 0 ? 0 : 1,
            .stochastic = eta > 0,
            .ascends = eta == 0,
            .usual_steps = 50,
            .grid = LevelGrid::whole_timesteps};
  }
};

// Euler down, fresh noise up (Crowson, k-diffusion): ddim with other levels and another default.
struct EulerAncestral {
  double eta = 1;  // fresh noise: 0 none .. 1 as much as ddpm
  // If not empty, one for each step, instead of what eta says: where Euler's step ends, at most the next
  // level, to which fresh noise leads.
  std::vector<double> downs = {};

  static constexpr auto options() {
    return std::array{SamplerOption<EulerAncestral>{"eta", &EulerAncestral::eta, 0, 1}};
  }
  SamplerFacts facts() const {
    const bool noisy = eta > 0 || !downs.empty();
    return {.order = noisy ? 0 : 1, .stochastic = noisy, .usual_steps = 50};
  }
};

SamplerCoroutine walk(Ddpm ddpm, SamplerState& state);
SamplerCoroutine walk(Ddim ddim, SamplerState& state);
SamplerCoroutine walk(EulerAncestral euler, SamplerState& state);

}  // namespace diffusion
