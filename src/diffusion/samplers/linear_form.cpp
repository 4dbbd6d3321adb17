#include "diffusion/samplers/linear_form.h"

#include <algorithm>
#include <cstddef>

#include <diffusion/error.h>
#include <diffusion/sampling.h>

namespace diffusion {

// Samplers do the same to every number of a state. So numbers can stand for the coefficients: number 0 for
// that of the start, number j + 1 for that of D_j, all of them without noise.
LinearForm linear_form(const Sampler& sampler, std::span<const double> sigmas) {
  if (const auto* ddim = std::get_if<Ddim>(&sampler); ddim && ddim->limit)
    throw Error(ErrorKind::usage,
                "the sampler limits the picture and spares the noise, which has no derivative; accepted is a "
                "limit of the denoiser, or none");
  const auto questions = std::size_t(evaluations_of(sampler, sigmas));
  std::vector<double> start(questions + 1);
  start.front() = 1;
  LinearForm form;
  Sampling sampling(sampler, {sigmas.begin(), sigmas.end()}, std::move(start),
                    [](int, std::span<double> noise) { std::ranges::fill(noise, 0); });
  while (const Question* question = sampling.question()) {
    const std::size_t j = form.x.size();
    if (j == questions) throw Error(ErrorKind::internal, "a sampler asks more often than it says");
    form.sigmas.push_back(question->sigma);
    form.x.emplace_back(question->x.begin(), question->x.begin() + std::ptrdiff_t(j + 1));
    std::ranges::fill(question->denoised, 0);
    question->denoised[j + 1] = 1;
    sampling.answer();
  }
  form.result.assign(sampling.x().begin(), sampling.x().begin() + std::ptrdiff_t(form.x.size() + 1));
  return form;
}

}  // namespace diffusion
