#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "device/device.h"
#include "diffusion/guidance.h"
#include "diffusion/model.h"
#include "diffusion/samplers.h"
#include "pictures/image_tensor.h"

namespace diffusion {

// What to sample. Image k of a seed is the same bytes whatever count, first and batch.
struct GenerateOptions {
  int count = 64;
  int first = 0;  // index of the first image
  std::uint64_t seed = 0;
  int steps = 50;
  std::string sampler = "ddim";
  SamplerOptions sampler_options = {};
  LevelSettings levels = {};
  std::optional<EstimateLimit> limit = {};  // none: clip to [-1, 1] if the model's clip_x0 says so
  bool limit_spares_noise = false;          // of ddim: see SamplerOptions::limit
  std::optional<int> label = {};            // none: image k is of class k mod class_count()
  // Away from the null class, or from `guide` if that is given: another model for the same kind of images,
  // which must outlive the call. The noise levels are those in which there is guidance, see Guidance.
  double guidance = 1;
  double guidance_sigma_low = 0, guidance_sigma_high = std::numeric_limits<double>::infinity();
  double guidance_rescale = 0;
  Model* guide = nullptr;
  std::vector<float> noise =
      {};          // [count, C, H, W], N(0, 1), to start from instead of the seed's; empty: the seed's
  int batch = 64;  // images in flight
  int height = 0, width = 0;  // 0: the model's sample_size
};

// Makes the options those of a model's own scheduler (Model::sampling). Steps and seed stay.
void sample_as_configured(const SamplingSettings& settings, GenerateOptions& options);

// The N(0, 1) that images first_image, first_image + 1, ... of a call start from; noise is as many whole
// images as fit.
void start_noise(const GenerateOptions& options, int first_image, std::span<double> noise,
                 std::size_t elements_per_image);

// Called after every step of every batch; `x` is the state times Preconditioner::picture_scale, so in VP form
// or that of a flow, of the images first_image, first_image + 1, ... of the call. After the last step it is
// the result before rounding.
struct GenerateStep {
  int step, steps;
  int first_image, images;
  std::span<const double> x;
};

// Error(usage) if model and options do not fit, Error(non_finite) if the network returns NaN.
std::vector<Image> generate(Model& model, const Device& device, const GenerateOptions& options,
                            const std::function<void(const GenerateStep&)>& on_step = {});

}  // namespace diffusion
