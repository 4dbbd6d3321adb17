#pragma once

// The options of `diffusion sample` that say how to get from noise to image.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/generate.h"

namespace diffusion {

struct SamplingOptions {
  std::string sampler, spacing, guide, noise;
  int steps = 0;
  double eta = 0, s_churn = 0, s_tmin = 0, s_tmax = 0, s_noise = 0;
  double guidance = 1, guidance_rescale = 0;
  std::vector<double> guidance_interval;
};

void add_sampling_options(CLI::App& app, SamplingOptions& options);

// Checks of names that need no model. Error(usage).
void check_sampling_names(const CLI::App& app, const SamplingOptions& options);

// Fills in what the options and else the model's own scheduler say. The guide belongs to the caller and must outlive
// `generate`; null: none was given.
void apply_sampling_options(const CLI::App& app, const SamplingOptions& options, const Model& model,
                            Model* guide, GenerateOptions& generate);

// The numbers of --noise, float32 [N, C, H, W]. Error(bad_input) if they are not for images of this model.
std::vector<float> read_start_noise(const std::string& path, const Model& model);

}  // namespace diffusion
