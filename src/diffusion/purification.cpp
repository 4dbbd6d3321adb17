#include "diffusion/purification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/model.h"

namespace diffusion {

namespace {

// What is asked for, in full.
PurifyOptions completed(const Model& model, PurifyOptions options) {
  GenerateOptions& sampling = options.sampling;
  if (!sampling.noise.empty())
    throw Error(ErrorKind::usage, "purification draws noise of its own; accepted is a seed");
  if (!sampling.label) sampling.without_class = true;
  sampling.recipe = from_level(sampling.recipe.value_or(purification_recipe(model)), model, options.level);
  check_request(model, *sampling.recipe, sampling);
  sampling.batch = std::min(sampling.batch, sampling.count);
  return options;
}

// Of the images of a seed that have these numbers.
NoiseSource noise_of_numbers(std::uint64_t seed, std::span<const int> numbers, std::size_t size) {
  return [seed, numbers, size](int draw, std::span<double> out) {
    for (std::size_t k = 0; k < numbers.size(); ++k)
      image_noise(seed, std::uint32_t(numbers[k]), size)(draw, out.subspan(k * size, size));
  };
}

void add_scaled(double factor, std::span<const double> from, std::span<double> to) {
  if (factor == 0) return;
  for (std::size_t k = 0; k < to.size(); ++k) to[k] += factor * from[k];
}

}  // namespace

Purification::Purification(const Model& model, const Device& device, const PurifyOptions& options,
                           NetworkEvaluator::Use use)
    : options_(completed(model, options)),
      size_(size_of(model, options_.sampling)),
      prepared_(prepare_recipe(model, *options_.sampling.recipe, size_.elements())),
      denoiser_(model, device, options_.sampling, prepared_, options_.sampling.batch, use),
      evaluations_(evaluations_of(prepared_.sampler, prepared_.levels.sigmas)) {
  if (use == NetworkEvaluator::Use::products) form_ = linear_form(prepared_.sampler, prepared_.levels.sigmas);
}

void Purification::run(std::span<const double> pictures, std::span<const int> numbers, std::uint64_t seed,
                       std::span<double> clean, const StepCallback& on_step) {
  const NoiseSource noise = noise_of_numbers(seed, numbers, size_.elements());
  const std::vector<double>& sigmas = prepared_.levels.sigmas;
  std::vector<double> x(pictures.size());
  noise(0, x);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = pictures[k] + sigmas.front() * x[k];
  denoiser_.begin(0, int(numbers.size()));
  const bool keeps = !form_.x.empty();
  states_.clear();
  const Denoiser denoise = [&](std::span<const double> state, double sigma, std::span<double> denoised) {
    if (keeps) states_.emplace_back(state.begin(), state.end());
    denoiser_.denoise(state, sigma, denoised);
  };
  run_sampler(prepared_.sampler, denoise, sigmas, noise, x, on_step);
  std::ranges::copy(x, clean.begin());
}

// From the last evaluation to the first: what the result's derivative by D_j is, `of_denoised[j]`, is
// complete when all later evaluations have been gone through.
void Purification::product(std::span<const double> probe, std::span<double> product) {
  if (states_.empty()) throw Error(ErrorKind::internal, "a derivative of a purification that did not run");
  const std::size_t questions = states_.size();
  std::vector<std::vector<double>> of_denoised(questions, std::vector<double>(probe.size(), 0.0));
  std::vector<double> of_x(probe.size()), denoised(probe.size());
  std::ranges::fill(product, 0);
  add_scaled(form_.result.front(), probe, product);
  for (std::size_t j = 0; j < questions; ++j) add_scaled(form_.result[j + 1], probe, of_denoised[j]);
  for (std::size_t j = questions; j-- > 0;) {
    if (j + 1 < questions) denoiser_.denoise(states_[j], form_.sigmas[j], denoised);
    denoiser_.product(states_[j], form_.sigmas[j], of_denoised[j], of_x);
    add_scaled(form_.x[j].front(), of_x, product);
    for (std::size_t i = 0; i < j; ++i) add_scaled(form_.x[j][i + 1], of_x, of_denoised[i]);
  }
}

}  // namespace diffusion
