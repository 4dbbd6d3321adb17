#include "diffusion/samplers/repaint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/sampling.h>
#include "diffusion/samplers/some_steps.h"
#include "diffusion/samplers/walks.h"

namespace diffusion {

namespace {

SamplerCoroutine walk_any(const Sampler& sampler, SamplerState& state) {
  return std::visit([&](const auto& s) { return walk(s, state); }, sampler);
}

// Known numbers become the picture's at noise level sigma.
void put_known(const Repaint& repaint, double sigma, std::span<const double> noise, std::span<double> x) {
  for (std::size_t k = 0; k < x.size(); ++k)
    if (repaint.known[k % repaint.known.size()]) x[k] = repaint.picture[k] + sigma * noise[k];
}

SamplerCoroutine walk_repaint(std::shared_ptr<const Repaint> repaint, SamplerState& state) {
  const std::vector<std::size_t> path =
      repaint_path(std::size_t(state.steps()), repaint->jump, repaint->resample);
  std::vector<double> denoised(state.x.size()), noise(state.x.size());
  for (std::size_t move = 0; move + 1 < path.size(); ++move) {
    const std::size_t from = path[move], to = path[move + 1];
    const double sigma = state.sigmas[from], sigma_next = state.sigmas[to];
    const int sampler_draw = int(2 * move) + 1, own_draw = sampler_draw + 1;
    if (to > from) {
      const Sampler sampler = for_some_steps(repaint->sampler, from, 1);
      SamplerState step{{sigma, sigma_next}, std::move(state.x), {}, {}};
      step.noise = [&](int, std::span<double> out) { state.noise(sampler_draw, out); };
      step.on_step = [&](const SamplerStep& done) { std::ranges::copy(done.denoised, denoised.begin()); };
      SamplerCoroutine steps = walk_any(sampler, step);
      steps.resume();
      while (steps.question()) {
        co_yield *steps.question();
        steps.resume();
      }
      state.x = std::move(step.x);
      if (sigma_next > 0) state.noise(own_draw, noise);
      put_known(*repaint, sigma_next, noise, state.x);
    } else {
      state.noise(own_draw, noise);
      const double added = std::sqrt(sigma_next * sigma_next - sigma * sigma);
      for (std::size_t k = 0; k < noise.size(); ++k) state.x[k] += added * noise[k];
    }
    if (state.on_step) state.on_step({int(move), int(path.size()) - 1, sigma, sigma_next, denoised, state.x});
  }
}

void check_repaint(const Repaint& repaint) {
  for (const auto& [name, value] : {std::pair{"jump", repaint.jump}, {"resample", repaint.resample}})
    if (value < 1)
      throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is 1 or more", name, value), {name});
  if (repaint.known.empty() || repaint.picture.empty() || repaint.picture.size() % repaint.known.size() != 0)
    throw Error(ErrorKind::usage,
                fmt::format("A mask of {} numbers does not fit pictures of {} numbers in all.",
                            repaint.known.size(), repaint.picture.size()));
}

}  // namespace

std::vector<std::size_t> repaint_path(std::size_t steps, int jump, int resample) {
  const auto height = std::size_t(jump);
  std::vector<int> jumps_left(steps + 1, 0);  // by how many steps are left
  for (std::size_t left = 0; left + height < steps; left += height) jumps_left[left] = resample - 1;
  std::vector<std::size_t> path{0};
  for (std::size_t left = steps; left > 0;) {
    path.push_back(steps - --left);
    if (jumps_left[left] == 0) continue;
    --jumps_left[left];
    for (int k = 0; k < jump; ++k) path.push_back(steps - ++left);
  }
  return path;
}

OwnSampler repaint_sampler(Repaint repaint) {
  check_repaint(repaint);
  const auto shared = std::make_shared<const Repaint>(std::move(repaint));
  return {.name = "repaint",
          .walk = [shared](SamplerState& state) { return walk_repaint(shared, state); },
          .known = {.stochastic = true}};
}

}  // namespace diffusion
