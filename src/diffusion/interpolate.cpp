#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/edit.h>
#include <diffusion/error.h>
#include "diffusion/picture_walk.h"
#include "diffusion/turned_noise.h"

namespace diffusion {

namespace {

// The options for image `first` alone, with what an end says.
GenerateOptions options_of(const InterpolationEnd& end, const GenerateOptions& all, const Model& model) {
  GenerateOptions options = all;
  options.count = 1;
  options.seed = end.seed;
  options.noise = end.noise;
  if (end.label) {
    options.label = end.label;
    options.without_class = false;
  }
  if (!options.label && !options.without_class && model.class_count() > 0) options.label = 0;
  options.prompts.clear();
  if (model.tokenizer) options.prompts = {end.prompt};
  return options;
}

}  // namespace

std::vector<Image> interpolate(const Model& model, const Device& device, const InterpolationEnd& a,
                               const InterpolationEnd& b, int frames, const GenerateOptions& options,
                               const std::function<void(const GenerateStep&)>& on_step) {
  if (frames < 2)
    throw Error(ErrorKind::usage, fmt::format("the number of frames is {}; accepted is 2 or more", frames),
                {"frames"});
  GenerateOptions all = options;
  all.count = frames;
  all.noise.clear();
  const GenerateOptions from = options_of(a, all, model), to = options_of(b, all, model);
  const SamplingRecipe recipe = recipe_of(model, all);
  check_request(model, recipe, from);
  check_request(model, recipe, to);
  const PictureSize size = size_of(model, from);
  static_cast<void>(size_of(model, to));
  const PreparedRecipe prepared = prepare_recipe(model, recipe, size.elements());
  all.batch = std::min(all.batch, frames);
  // With another label or prompt at the other end there are two estimates.
  const bool mixed = from.label != to.label || from.prompts != to.prompts;
  BatchDenoiser denoise_a(model, device, from, prepared, all.batch);
  std::optional<BatchDenoiser> denoise_b;
  if (mixed) denoise_b.emplace(model, device, to, prepared, all.batch);

  std::vector<Image> images;
  const PictureWalk walk{model, all, size, on_step};
  walk.for_each_batch([&](int done, int count) {
    denoise_a.begin(all.first, count);
    if (mixed) denoise_b->begin(all.first, count);
    std::vector<double> shares, other;
    for (int k = done; k < done + count; ++k) shares.push_back(double(k) / (frames - 1));
    const Denoiser denoise = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
      denoise_a.denoise(x, sigma, denoised);
      if (!mixed) return;
      other.resize(x.size());
      denoise_b->denoise(x, sigma, other);
      for (std::size_t k = 0; k < x.size(); ++k)
        denoised[k] = std::lerp(denoised[k], other[k], shares[k / size.elements()]);
    };
    const NoiseSource noise = turned_noise(noise_of_one(from, size.elements()),
                                           noise_of_one(to, size.elements()), shares, size.elements());
    std::vector<double> x(std::size_t(count) * size.elements());
    noise(0, x);
    for (double& value : x) value *= prepared.levels.initial_std;
    append_images(
        walk.finish(done, count, prepared.sampler, prepared.levels.sigmas, std::move(x), noise, denoise),
        size, images);
  });
  return images;
}

}  // namespace diffusion
