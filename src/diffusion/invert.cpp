#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <diffusion/edit.h>
#include <diffusion/error.h>
#include "diffusion/picture_walk.h"
#include "diffusion/samplers/inversion.h"

namespace diffusion {

namespace {

OwnSampler inversion_of(const Sampler& sampler) {
  if (facts_of(sampler).order == 1 && !facts_of(sampler).stochastic) return ddim_inversion();
  if (std::holds_alternative<Heun>(sampler)) return heun_inversion();
  throw Error(
      ErrorKind::usage,
      fmt::format("the sampler {} cannot be turned around; accepted are ddim and euler (without fresh "
                  "noise) and heun",
                  name_of(sampler)),
      {"sampler"});
}

// Where it starts instead of 0, at which D would not tell the noise: D's rounding and what the picture lacks
// there are both some 1e-8 of the result.
constexpr double kAlmostNoNoise = 0x1p-28;

// The levels upwards. In the form of ddim the network is told the level that a step leads to, else only in
// the first step. A network that predicts the picture does not tell noise where there is none: then the
// picture itself is at the first level.
NoiseLevels levels_upwards(const Model& model, const NoiseLevels& down, bool heun) {
  NoiseLevels up{.initial_std = down.initial_std};
  const std::size_t steps = down.sigmas.size() - 1;
  std::vector<double> told;
  for (std::size_t i = 0; i < steps; ++i)
    told.push_back(down.timesteps.empty() ? model.preconditioner.scalings(down.sigmas[i]).c_noise
                                          : down.timesteps[i]);
  up.sigmas = down.sigmas;
  std::ranges::reverse(up.sigmas);
  std::ranges::reverse(told);
  if (up.sigmas.front() > 0) return {up.sigmas, {}, up.initial_std};
  if (model.preconditioner.objective() == Objective::x0) {
    up.sigmas.erase(up.sigmas.begin());
    return {up.sigmas, told, up.initial_std};
  }
  up.sigmas.front() = kAlmostNoNoise;
  up.timesteps = heun ? std::vector{told.front()} : std::vector<double>();
  up.timesteps.insert(up.timesteps.end(), told.begin(), told.end());
  return up;
}

}  // namespace

SamplingRecipe inversion_recipe(const Model& model) {
  return with_sampler(scheduler_recipe(model), Heun{}, model);
}

std::vector<float> invert(const Model& model, const Device& device, std::span<const Image> pictures,
                          const GenerateOptions& options,
                          const std::function<void(const GenerateStep&)>& on_step) {
  GenerateOptions sampling = options;
  sampling.count = int(pictures.size());
  const SamplingRecipe recipe = sampling.recipe ? *sampling.recipe : inversion_recipe(model);
  const OwnSampler inversion = inversion_of(recipe.sampler);
  const PictureSize size = size_of(model, sampling);
  check_pictures(pictures, size);
  check_request(model, recipe, sampling);
  PreparedRecipe prepared = prepare_recipe(model, recipe, size.elements());
  if (prepared.levels.sigmas.front() > prepared.levels.sigmas.back())
    prepared.levels = levels_upwards(model, prepared.levels, std::holds_alternative<Heun>(recipe.sampler));
  const std::vector<double>& sigmas = prepared.levels.sigmas;

  sampling.batch = std::min(sampling.batch, sampling.count);
  BatchDenoiser denoiser(model, device, sampling, prepared, sampling.batch);
  const Denoiser denoise = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
    denoiser.denoise(x, sigma, denoised);
  };
  const PictureWalk walk{model, sampling, size, on_step};
  // From a state as papers have it to noise of standard deviation 1.
  const double unit = 1 / (model.preconditioner.picture_scale(sigmas.back()) * prepared.levels.initial_std);
  std::vector<float> noise;
  walk.for_each_batch([&](int done, int count) {
    denoiser.begin(sampling.first + done, count);
    std::vector<double> x = picture_numbers(pictures, size, done, count);
    for (double& value : x) value /= model.preconditioner.picture_scale(sigmas.front());
    for (const double value : walk.finish(done, count, inversion, sigmas, std::move(x), {}, denoise))
      noise.push_back(float(value * unit));
  });
  return noise;
}

}  // namespace diffusion
