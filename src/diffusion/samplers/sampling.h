#pragma once

// A sampling that can stop between two evaluations and go on later, without a thread of its own. Whoever
// drives it decides what is evaluated together:
//
//   Sampling sampling(Heun{}, sigmas, x, image_noise(seed, 0, x.size()));
//   while (const Question* question = sampling.question()) {
//     denoise(question->x, question->sigma, question->denoised);
//     sampling.answer();
//   }
//   use(sampling.x());
//
// The result does not depend on what else is done in between. To cancel is to destroy it.

#include <memory>
#include <span>
#include <vector>

#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sampler_steps.h"

namespace diffusion {

class Sampling {
 public:
  // sigmas: n + 1 descending levels for n steps; x is the state at sigmas.front(). Runs to the first
  // question. on_step may be empty, and so may noise if the sampler is not stochastic. Throws Error(usage)
  // unless there are at least two sigmas, finite, strictly descending and positive but for a last 0, x is not
  // empty, and the options are in range; samplers that may ascend (SamplerFacts) also take levels that do.
  // The last sigma may also repeat the one before it: diffusers has schedulers whose last step does nothing,
  // and so does that step here.
  Sampling(Sampler sampler, std::vector<double> sigmas, std::vector<double> x, NoiseSource noise = {},
           StepCallback on_step = {});
  Sampling(Sampling&& other) noexcept;
  Sampling& operator=(Sampling&& other) noexcept;
  ~Sampling();

  // The evaluation that it waits for, valid until answer(); null: finished.
  const Question* question() const;

  // Question::denoised was written: runs on to the next question or to the end, calling on_step for each step
  // that this finishes. What the noise source and on_step throw comes out, and so does Error(non_finite) if x
  // ends with NaN or infinity; the sampling is then finished, and x of no use. Must have a question.
  void answer();

  // The state; at the end the result, at sigmas.back().
  std::span<const double> x() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace diffusion
