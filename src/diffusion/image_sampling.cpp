#include "diffusion/image_sampling.h"

#include <utility>

namespace diffusion {

namespace {

std::vector<double> scaled(std::vector<double> noise, double std) {
  for (double& value : noise) value *= std;
  return noise;
}

std::vector<double> first_draw(const NoiseSource& noise, std::size_t size) {
  std::vector<double> drawn(size);
  noise(0, drawn);
  return drawn;
}

}  // namespace

ImageSampling::ImageSampling(const PreparedRecipe& prepared, const ImageRange& images,
                             std::vector<double> noise, Conditions conditions, Conditions unconditional,
                             StepCallback on_step)
    : ImageSampling(prepared, images, prepared.sampler, prepared.levels.sigmas,
                    scaled(std::move(noise), prepared.levels.initial_std), std::move(conditions),
                    std::move(unconditional), std::move(on_step)) {}

ImageSampling::ImageSampling(const PreparedRecipe& prepared, NoiseSource noise, Conditions conditions,
                             Conditions unconditional, StepCallback on_step)
    : estimate_(prepared, 1, std::move(conditions), std::move(unconditional)),
      sampling_(prepared.sampler, prepared.levels.sigmas,
                scaled(first_draw(noise, prepared.image_size), prepared.levels.initial_std), noise,
                std::move(on_step)) {}

ImageSampling::ImageSampling(const PreparedRecipe& prepared, const ImageRange& images, const Sampler& sampler,
                             std::vector<double> sigmas, std::vector<double> x, Conditions conditions,
                             Conditions unconditional, StepCallback on_step)
    : estimate_(prepared, images.count, std::move(conditions), std::move(unconditional)),
      sampling_(sampler, std::move(sigmas), std::move(x),
                image_noise(images.seed, images.first, prepared.image_size), std::move(on_step)) {}

void ImageSampling::ask(Rows& rows, Rows& guide_rows) const {
  const Question& question = *sampling_.question();
  estimate_.ask(question.x, question.sigma, rows, guide_rows);
}

void ImageSampling::answer(std::span<const double> denoised, std::span<const double> guide_denoised) {
  const Question& question = *sampling_.question();
  estimate_.answer(question.sigma, denoised, guide_denoised, question.denoised);
  sampling_.answer();
}

}  // namespace diffusion
