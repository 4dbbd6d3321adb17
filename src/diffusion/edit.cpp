#include <diffusion/edit.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/picture_walk.h"
#include "diffusion/samplers/repaint.h"
#include "diffusion/samplers/some_steps.h"

namespace diffusion {

namespace {

void check_edit(const EditOptions& options, const PictureSize& size) {
  if (!(options.strength >= 0 && options.strength <= 1))
    throw Error(ErrorKind::usage,
                fmt::format("strength is {}; accepted are 0 (the picture) to 1 (anything)", options.strength),
                {"strength"});
  const Image& mask = options.mask;
  if (mask.pixels.empty()) return;
  if (mask.channels != 1 || mask.height != size.height || mask.width != size.width)
    throw Error(ErrorKind::usage,
                fmt::format("the mask has {} x {} pixels of {} channels; accepted is {} x {} of 1",
                            mask.height, mask.width, mask.channels, size.height, size.width),
                {"mask"});
  const auto drawn = std::size_t(std::ranges::count(mask.pixels, std::uint8_t{255}));
  const auto known = std::size_t(std::ranges::count(mask.pixels, std::uint8_t{0}));
  if (drawn + known != mask.pixels.size())
    throw Error(
        ErrorKind::usage,
        fmt::format("the mask has {} pixels that are neither black nor white; accepted are 0 (kept) and "
                    "255 (drawn anew)",
                    mask.pixels.size() - drawn - known),
        {"mask"});
  if (drawn == 0 || known == 0)
    throw Error(ErrorKind::usage,
                fmt::format("the mask is all {}, so there is nothing to {}; accepted is one of black (kept) "
                            "and white (drawn anew)",
                            drawn == 0 ? "black" : "white", drawn == 0 ? "draw" : "keep"),
                {"mask"});
}

// Of the channels, too.
std::vector<bool> known_numbers(const Image& mask, int channels) {
  std::vector<bool> known;
  for (int c = 0; c < channels; ++c)
    for (const std::uint8_t pixel : mask.pixels) known.push_back(pixel == 0);
  return known;
}

void keep_known_pixels(const Image& mask, const Image& picture, Image& image) {
  const auto channels = std::size_t(picture.channels);
  for (std::size_t p = 0; p < mask.pixels.size(); ++p)
    if (mask.pixels[p] == 0)
      std::copy_n(picture.pixels.begin() + std::ptrdiff_t(p * channels), channels,
                  image.pixels.begin() + std::ptrdiff_t(p * channels));
}

// The samplings of an edit, for pictures in numbers.
struct EditWalk {
  const EditOptions& options;
  const PreparedRecipe& prepared;
  std::size_t first_step;

  std::vector<double> sigmas() const {
    const std::vector<double>& all = prepared.levels.sigmas;
    return {all.begin() + std::ptrdiff_t(first_step), all.end()};
  }

  // `noise` becomes the state to begin with.
  std::vector<double> start(std::vector<double> noise, std::span<const double> pictures) const {
    const double std = first_step == 0 ? prepared.levels.initial_std : prepared.levels.sigmas[first_step];
    for (std::size_t k = 0; k < noise.size(); ++k)
      noise[k] = std * noise[k] + (first_step == 0 ? 0 : pictures[k]);
    return noise;
  }

  Sampler sampler(std::vector<double> pictures, int channels) const {
    const std::size_t steps = prepared.levels.sigmas.size() - 1 - first_step;
    Sampler sampler = for_some_steps(prepared.sampler, first_step, steps);
    if (options.mask.pixels.empty()) return sampler;
    return repaint_sampler({.sampler = std::move(sampler),
                            .picture = std::move(pictures),
                            .known = known_numbers(options.mask, channels),
                            .jump = options.jump,
                            .resample = options.resample});
  }
};

void check_goes_down(const PreparedRecipe& prepared) {
  if (prepared.levels.sigmas.front() < prepared.levels.sigmas.back())
    throw Error(ErrorKind::usage,
                "the scheduler of this model leads from pictures up to noise; give a sampler or a spacing");
}

}  // namespace

int first_step_of(double strength, int steps) {
  if (strength == 0) return steps;
  return steps - std::max(1, std::min(int(steps * strength), steps));
}

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
