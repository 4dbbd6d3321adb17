#pragma once

#include <array>
#include <limits>

#include "diffusion/samplers/sampler_facts.h"

namespace diffusion {

// Heun's method, Karras et al. 2022 (arXiv 2206.00364), Algorithm 1: the trapezoidal rule over sigma, its end
// predicted by Euler.
struct Heun {
  SamplerFacts facts() const { return {.order = 2, .values = 2, .evaluations = 2, .small_steps = true}; }
};

// The same with churn, their Algorithm 2: before a step from a sigma in [s_tmin, s_tmax] noise of s_noise
// N(0, 1) raises sigma by the factor 1 + min(s_churn / steps, sqrt(2) - 1).
struct Edm {
  double s_churn = 40;  // theirs for ImageNet; 0 is heun
  double s_tmin = 0, s_tmax = std::numeric_limits<double>::infinity();
  double s_noise = 1;

  static constexpr auto options() {
    using Option = SamplerOption<Edm>;
    constexpr double kMost = std::numeric_limits<double>::max();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return std::array{
        Option{"s_churn", &Edm::s_churn, 0, kMost}, Option{"s_tmin", &Edm::s_tmin, 0, kInfinity},
        Option{"s_tmax", &Edm::s_tmax, 0, kInfinity}, Option{"s_noise", &Edm::s_noise, 0, kMost}};
  }
  SamplerFacts facts() const {
    return {.order = s_churn > 0 ? 0 : 2,
            .values = 2,
            .evaluations = 2,
            .stochastic = s_churn > 0,
            .small_steps = true,
            .usual_steps = 50};
  }
};

SamplerCoroutine walk(Heun heun, SamplerState& state);
SamplerCoroutine walk(Edm edm, SamplerState& state);

}  // namespace diffusion
