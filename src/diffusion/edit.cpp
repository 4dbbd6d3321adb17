#include <diffusion/edit.h>

#include <algorithm>
#include <utility>

#include "diffusion/edit_walk.h"
#include "diffusion/picture_walk.h"

namespace diffusion {

std::vector<Image> edit(const Model& model, const Device& device, std::span<const Image> pictures,
                        const EditOptions& options, const std::function<void(const GenerateStep&)>& on_step) {
  GenerateOptions sampling = options.sampling;
  const SamplingRecipe recipe = recipe_of(model, sampling);
  check_request(model, recipe, sampling);
  const PictureSize size = size_of(model, sampling);
  check_pictures(pictures, size);
  check_edit(options, size);
  const auto picture_of = [&](int k) { return pictures[std::size_t(sampling.first + k) % pictures.size()]; };
  std::vector<Image> images;
  if (options.strength == 0) {
    for (int k = 0; k < sampling.count; ++k) images.push_back(picture_of(k));
    return images;
  }
  const PreparedRecipe prepared = prepare_recipe(model, recipe, size.elements());
  check_goes_down(prepared);
  const int first_step = first_step_of(options.strength, int(prepared.levels.sigmas.size()) - 1);
  if (first_step == 0 && options.mask.pixels.empty()) return generate(model, device, sampling, on_step);

  sampling.batch = std::min(sampling.batch, sampling.count);
  BatchDenoiser denoiser(model, device, sampling, prepared, sampling.batch);
  const Denoiser denoise = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
    denoiser.denoise(x, sigma, denoised);
  };
  const EditWalk edit_walk{options, prepared, std::size_t(first_step)};
  const PictureWalk walk{model, sampling, size, on_step};
  walk.for_each_batch([&](int done, int count) {
    denoiser.begin(sampling.first + done, count);
    std::vector<double> numbers = picture_numbers(pictures, size, sampling.first + done, count);
    std::vector<double> noise(numbers.size());
    start_noise(sampling, done, noise, size.elements());
    std::vector<double> x = edit_walk.start(std::move(noise), numbers);
    append_images(walk.finish(done, count, edit_walk.sampler(std::move(numbers), size.channels),
                              edit_walk.sigmas(), std::move(x), walk.noise_of(done), denoise),
                  size, images);
  });
  if (!options.mask.pixels.empty())
    for (int k = 0; k < sampling.count; ++k)
      keep_known_pixels(options.mask, picture_of(k), images[std::size_t(k)]);
  return images;
}

}  // namespace diffusion
