#include "diffusion/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "diffusion/denoiser.h"

namespace diffusion {

namespace {

void check(const Model& model, const GenerateOptions& options) {
  const auto require = [](bool holds, std::string_view what, auto value, std::string_view accepted) {
    if (!holds) throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", what, value, accepted));
  };
  require(options.count >= 1, "the number of images", options.count, "1 or more");
  require(options.first >= 0, "the index of the first image", options.first, "0 or more");
  require(options.count <= std::numeric_limits<int>::max() - options.first, "the number of images",
          options.count, "such that the index of the last fits 31 bits");
  require(options.batch >= 1, "the batch", options.batch, "1 or more");
  require(options.steps >= 1, "the number of steps", options.steps, "1 or more");
  require(std::isfinite(options.guidance), "guidance", options.guidance, "a finite number");
  if (options.label && model.class_count() == 0)
    throw Error(ErrorKind::usage, "this model knows no classes, so it takes no label");
  if (options.label && (*options.label < 0 || *options.label >= model.class_count()))
    throw Error(ErrorKind::usage, fmt::format("label {} is not a class of this model; accepted are 0 to {}",
                                              *options.label, model.class_count() - 1));
  if (options.guidance != 1 && !model.null_class)
    throw Error(
        ErrorKind::usage,
        "guidance needs a model that was trained with label dropout (a null class); this one was not");
}

std::vector<int> labels_of(const Model& model, const GenerateOptions& options, int first, int count) {
  std::vector<int> labels;
  if (model.class_count() > 0)
    for (int k = first; k < first + count; ++k)
      labels.push_back(options.label.value_or(k % model.class_count()));
  return labels;
}

}  // namespace

std::vector<double> noise_levels(const Preconditioner& preconditioner, int steps, TimestepSpacing spacing) {
  const NoiseSchedule* schedule = preconditioner.schedule();
  if (!schedule) return karras_sigmas(steps, preconditioner.sigma_min(), preconditioner.sigma_max());
  return sampling_sigmas(*schedule, sampling_timesteps(schedule->num_train_timesteps, steps, spacing));
}

std::vector<Image> generate(Model& model, const Device& device, const GenerateOptions& options,
                            const std::function<void(const GenerateStep&)>& on_step) {
  check(model, options);
  const int height = options.height > 0 ? options.height : model.traits().sample_size[0];
  const int width = options.width > 0 ? options.width : model.traits().sample_size[1];
  if (height == 0 || width == 0)
    throw Error(ErrorKind::usage, "the model has no sample_size; give height and width");
  const int channels = model.traits().in_channels;
  const std::size_t image_size = std::size_t(channels) * std::size_t(height) * std::size_t(width);
  const SamplerEntry& sampler = find_sampler(options.sampler);
  const std::vector<double> sigmas = noise_levels(model.preconditioner, options.steps, options.spacing);

  std::vector<Image> images;
  std::vector<double> x, shown;
  std::unique_ptr<NetworkDenoiser> denoiser;
  int denoiser_batch = 0;
  for (int done = 0; done < options.count;) {
    const int batch = std::min(options.batch, options.count - done), first = options.first + done;
    if (batch != denoiser_batch) {
      denoiser = std::make_unique<NetworkDenoiser>(model, device, batch, height, width);
      denoiser_batch = batch;
    }
    denoiser->set_labels(labels_of(model, options, first, batch));
    const NoiseSource noise = image_noise(options.seed, std::uint32_t(first), image_size);
    x.resize(std::size_t(batch) * image_size);
    noise(0, x);
    const double start = model.preconditioner.initial_std(sigmas.front());
    for (double& value : x) value *= start;
    run_sampler(sampler, denoiser->function(options.guidance), sigmas, noise, options.sampler_options, x,
                [&](const SamplerStep& s) {
                  if (!on_step) return;
                  const double scale = 1 / std::sqrt(1 + s.sigma_next * s.sigma_next);
                  shown.assign(s.x.begin(), s.x.end());
                  for (double& value : shown) value *= scale;
                  on_step({s.index, s.count, done, batch, shown});
                });
    for (int k = 0; k < batch; ++k)
      images.push_back(
          to_image(std::span(x).subspan(std::size_t(k) * image_size, image_size), channels, height, width));
    done += batch;
  }
  return images;
}

}  // namespace diffusion
