#pragma once

// What goes in and out of a sampler besides its state: noise, the questions it asks, the steps it reports.

#include <functional>
#include <span>

namespace diffusion {

// Fills `out` with N(0, 1), as a pure function of `draw`. Draw 0 is the start of the sampling, draw i + 1
// belongs to step i of the sampler.
using NoiseSource = std::function<void(int draw, std::span<double> out)>;

// An evaluation that a sampler waits for: D(x; sigma), sigma > 0, is to be written to `denoised`, which is as
// long as x and is not x.
struct Question {
  std::span<const double> x;
  double sigma;
  std::span<double> denoised;
};

// One finished step. The spans die with the callback.
struct SamplerStep {
  int index, count;                  // 0 .. count-1
  double sigma, sigma_next;          // from where to where
  std::span<const double> denoised;  // D at sigma, or at the last level of this step that was evaluated
  std::span<const double> x;         // the state at sigma_next
};
using StepCallback = std::function<void(const SamplerStep& step)>;  // may throw, to stop

}  // namespace diffusion
