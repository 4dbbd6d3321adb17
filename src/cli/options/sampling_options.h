#pragma once

// The options of `diffusion sample` and `diffusion compare-samplers` that say how to get from noise to image.

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/generate.h>
#include "diffusion/model.h"

namespace diffusion {

// What was not given is none: then the model's own scheduler decides.
struct SamplingOptions {
  std::optional<std::string> sampler, spacing, label;
  std::optional<int> steps;
  std::map<std::string, double> sampler_options;  // by the names of set_option()
  std::optional<double> guidance;
  std::optional<double> guidance_rescale;
  std::vector<double> guidance_interval;
  std::string guide, noise;
};

// Those of which picture: --seed, --label; and how: --sampler, --steps, --eta, --s-...; --spacing; guidance;
// --noise.
void add_seed_and_label_options(CLI::App& app, std::uint64_t& seed, SamplingOptions& options);
void add_sampler_options(CLI::App& app, SamplingOptions& options);
void add_spacing_option(CLI::App& app, SamplingOptions& options);
void add_guidance_options(CLI::App& app, SamplingOptions& options);
void add_batch_option(CLI::App& app, int& batch);
void add_noise_option(CLI::App& app, SamplingOptions& options);

// Checks of names that need no model. Error(usage).
void check_sampling_names(const SamplingOptions& options);

// Fills in the model's default recipe with what the options say otherwise. The guide belongs to the caller
// and must outlive `generate`; null: none was given. Error(usage) if the label is not of this model, and for
// options that the sampler does not take.
void apply_sampling_options(const SamplingOptions& options, const Model& model, Model* guide,
                            GenerateOptions& generate);

// A class by number or name, or "none". Error(usage) if the model does not have it.
void apply_label(const std::string& label, const Model& model, GenerateOptions& generate);

// The numbers of --noise, float32 [N, C, H, W]. Error(bad_input) if they are not for images of this model.
std::vector<float> read_start_noise(const std::string& path, const Model& model);

}  // namespace diffusion
