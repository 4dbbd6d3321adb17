#include "diffusion/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>
#include "base/rng.h"
#include "diffusion/forward_process.h"
#include "diffusion/samplers.h"
#include "diffusion/sampling_recipe.h"
#include "pictures/image_checks.h"

namespace diffusion {

std::vector<int> evenly_spaced(int last, int count) {
  if (last < 0 || count < 1)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} numbers from 0 to {} are not possible; accepted are 1 or more.", count, last));
  if (count > last) count = last + 1;
  if (count == 1) return {last};
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i)
    numbers.push_back(int((2 * std::int64_t(i) * last + count - 1) / (2 * (count - 1))));  // rounded
  return numbers;
}

std::vector<int> showcase_timesteps(int num_train_timesteps) {
  std::vector<int> timesteps;
  for (const std::int64_t quarter : {0, 1, 2, 3, 4}) {
    const auto t = int(std::min<std::int64_t>(quarter * num_train_timesteps / 4, num_train_timesteps - 1));
    if (timesteps.empty() || t > timesteps.back()) timesteps.push_back(t);
  }
  return timesteps;
}

std::vector<Image> noise_pictures(const Image& image, const NoiseSchedule& schedule,
                                  std::span<const int> timesteps, std::uint64_t seed) {
  std::vector<double> noise(image.pixels.size());
  fill_normal({seed, Stream::markov_noise, 0, 0}, noise);
  return noise_pictures(image, schedule, timesteps, noise);
}

std::vector<Image> noise_pictures(const Image& image, const NoiseSchedule& schedule,
                                  std::span<const int> timesteps, std::span<const double> noise) {
  check_image(image);
  const std::size_t planes = std::size_t(image.channels), pixels = image.pixels.size() / planes;
  std::vector<double> x0(image.pixels.size()), x(x0.size());
  for (std::size_t c = 0; c < planes; ++c)
    for (std::size_t p = 0; p < pixels; ++p) x0[c * pixels + p] = image.pixels[p * planes + c] / 127.5 - 1;

  std::vector<Image> pictures;
  for (const int t : timesteps) {
    q_sample(schedule, x0, std::span(&t, 1), noise, x);
    pictures.push_back(to_image(x, image.channels, image.height, image.width));
  }
  return pictures;
}

DenoisingFrames::DenoisingFrames(const Model& model, const GenerateOptions& options, int max_frames)
    : channels_(model.traits().in_channels),
      height_(options.height > 0 ? options.height : model.traits().sample_size[0]),
      width_(options.width > 0 ? options.width : model.traits().sample_size[1]) {
  const SamplingRecipe recipe = recipe_of(model, options);
  const NoiseLevels levels = sampler_on_levels(recipe, model.preconditioner).levels;
  const std::vector<int> states = evenly_spaced(int(levels.sigmas.size()) - 1, max_frames);
  frame_of_state_.resize(levels.sigmas.size());
  for (std::size_t frame = 0; frame < states.size(); ++frame)
    frame_of_state_[std::size_t(states[frame])] = frame;

  const std::size_t elements = std::size_t(channels_) * std::size_t(height_) * std::size_t(width_);
  const Image blank{width_, height_, channels_, std::vector<std::uint8_t>(elements)};
  frames_.assign(states.size(), std::vector<Image>(std::size_t(options.count), blank));
  if (states.front() != 0) return;

  const double scale = levels.initial_std * model.preconditioner.picture_scale(levels.sigmas.front());
  std::vector<double> x(elements);
  for (int k = 0; k < options.count; ++k) {
    start_noise(options, k, x, elements);
    for (double& value : x) value *= scale;
    frames_.front()[std::size_t(k)] = to_image(x, channels_, height_, width_);
  }
}

void DenoisingFrames::record(const GenerateStep& step) {
  const std::optional<std::size_t> frame = frame_of_state_.at(std::size_t(step.step) + 1);
  if (!frame) return;
  const std::size_t elements = step.x.size() / std::size_t(step.images);
  for (std::size_t k = 0; k < std::size_t(step.images); ++k)
    frames_[*frame].at(std::size_t(step.first_image) + k) =
        to_image(step.x.subspan(k * elements, elements), channels_, height_, width_);
}

}  // namespace diffusion
