#include "diffusion/samplers.h"

#include <algorithm>

namespace diffusion {

void run_sampler(const Sampler& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, std::span<double> x, const StepCallback& on_step) {
  Sampling sampling(sampler, {sigmas.begin(), sigmas.end()}, {x.begin(), x.end()}, noise, on_step);
  while (const Question* question = sampling.question()) {
    denoise(question->x, question->sigma, question->denoised);
    sampling.answer();
  }
  std::ranges::copy(sampling.x(), x.begin());
}

}  // namespace diffusion
