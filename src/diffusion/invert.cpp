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

}  // namespace

SamplingRecipe inversion_recipe(const Model& model) {
  return with_sampler(scheduler_recipe(model), Ddim{}, model);
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
  const PreparedRecipe prepared = prepare_recipe(model, recipe, size.elements());
  std::vector<double> sigmas = prepared.levels.sigmas;
  if (sigmas.front() > sigmas.back()) std::ranges::reverse(sigmas);

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
