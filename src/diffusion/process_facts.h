#pragma once

// What the kinds of noise process have in common (noise_process.h lists them).

#include <optional>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace diffusion {

// What the raw network F predicts. With alpha = 1 / sqrt(1 + sigma^2), the VP amplitude sqrt(alphas_cumprod):
//   epsilon  n                                              (Ho et al. 2020)
//   v        alpha n - alpha sigma y                        (Salimans & Ho 2022, arXiv 2202.00512)
//   x0       y
//   edm      (y - c_skip x) / c_out with scalings that keep input and target at unit variance (Karras et al.
//            2022)
//   flow     n - y, the velocity of x_t = (1 - t) y + t n      (Lipman et al. 2023, arXiv 2210.02747; Liu et
//            al. 2023)
enum class Objective { epsilon, v, x0, edm, flow };

std::string_view to_string(Objective objective);

struct Scalings {
  double c_skip, c_out, c_in;
  double c_noise;  // F's time input: a timestep in [0, T-1], not rounded; ln(sigma) / 4 for edm; T t for flow
};

// Noise levels of a model, 0 < lowest < highest (or equal, if it has but one).
struct LevelRange {
  double lowest, highest;
};

// What others have to know of a process instead of which one it is.
struct ProcessFacts {
  Objective objective;
  int discrete_levels = 0;   // T of those that training draws from; 0: they are continuous
  bool small_steps = false;  // its own spacing falls by small factors, as SamplerFacts::small_steps needs
  // Names of samplers that solve its ODE with first and second order over the time that F is told.
  std::string_view first_order = "ddim", second_order = "heun";
};

// What a person reads of it.
struct ProcessText {
  std::string line;
  Json::Object details;                     // "schedule" of `diffusion info --json`
  std::optional<std::string> warning = {};  // what should be told before it is used, if anything
};

// Error(usage): "<name> is <value>; it must be <range>.", unless `accepted`.
void require(bool accepted, std::string_view name, double value, std::string_view range);
void require_positive(std::string_view name, double value);  // and finite

}  // namespace diffusion
