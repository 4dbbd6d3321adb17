#pragma once

// A sampler is a linear function of where it starts and of every D that it is told: its coefficients, from
// which derivatives of what it comes to follow, whichever sampler it is.

#include <span>
#include <vector>

#include <diffusion/sampler.h>

namespace diffusion {

struct LinearForm {
  std::vector<double> sigmas;  // of each question, in the order in which they are asked
  // Of question j: its x is x[j][0] start + x[j][1] D_0 + ... + x[j][j] D_(j-1), and noise.
  std::vector<std::vector<double>> x;
  std::vector<double> result;  // the same for the state at the end
};

// Of a sampler on levels as Sampling takes them. Error(usage) for one that is not linear: Ddim with a limit.
LinearForm linear_form(const Sampler& sampler, std::span<const double> sigmas);

}  // namespace diffusion
