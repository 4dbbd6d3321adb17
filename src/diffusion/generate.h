#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "device/device.h"
#include "diffusion/model.h"
#include "diffusion/samplers.h"
#include "io/image_tensor.h"

namespace diffusion {

// What to sample. Image k of a seed is the same bytes whatever count, first and batch.
struct GenerateOptions {
  int count = 64;
  int first = 0;  // index of the first image
  std::uint64_t seed = 0;
  int steps = 50;
  std::string sampler = "ddim";
  SamplerOptions sampler_options;
  TimestepSpacing spacing = TimestepSpacing::trailing;
  std::optional<int> label;  // none: image k is of class k mod class_count()
  double guidance = 1;
  int batch = 64;             // images in flight
  int height = 0, width = 0;  // 0: the model's sample_size
};

// Called after every step of every batch; `x` is the state in VP form, x / sqrt(1 + sigma^2), of the images
// first_image, first_image + 1, ... of the call.
struct GenerateStep {
  int step, steps;
  int first_image, images;
  std::span<const double> x;
};

// The noise levels that `options` visit on a model, descending to 0.
std::vector<double> noise_levels(const Preconditioner& preconditioner, int steps, TimestepSpacing spacing);

// Error(usage) if model and options do not fit, Error(non_finite) if the network returns NaN.
std::vector<Image> generate(Model& model, const Device& device, const GenerateOptions& options,
                            const std::function<void(const GenerateStep&)>& on_step = {});

}  // namespace diffusion
