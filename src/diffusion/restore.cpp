#include <diffusion/restore.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <diffusion/error.h>
#include "base/names.h"
#include "diffusion/guidance.h"
#include "diffusion/picture_walk.h"
#include "diffusion/restoration.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 4> kMethods{"ddrm", "ddnm", "dps", "pigdm"};

void check_restore(const LinearOperator& a, std::span<const double> measurements,
                   const RestoreOptions& options, const PictureSize& size) {
  if (a.input_size() != size.elements())
    throw Error(ErrorKind::usage,
                fmt::format("the operator is for images of {} numbers; those of the model have {}",
                            a.input_size(), size.elements()));
  if (measurements.empty() || measurements.size() % a.output_size() != 0)
    throw Error(ErrorKind::usage, fmt::format("{} numbers were measured; accepted are {} for each image",
                                              measurements.size(), a.output_size()));
  if (!std::ranges::all_of(measurements, [](double value) { return std::isfinite(value); }))
    throw Error(ErrorKind::usage, "the measurement has NaN or infinity; accepted are finite numbers");
  const auto require = [](bool holds, std::string_view name, double value, std::string_view accepted) {
    if (!holds)
      throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", name, value, accepted),
                  {std::string(name)});
  };
  require(options.sigma >= 0 && std::isfinite(options.sigma), "sigma", options.sigma, "0 or more");
  require(options.eta >= 0 && options.eta <= 1, "eta", options.eta, "0 to 1");
  require(options.dps_step > 0 && std::isfinite(options.dps_step), "dps_step", options.dps_step,
          "a positive number");
}

}  // namespace

std::string_view to_string(RestoreMethod method) {
  return kMethods.at(std::size_t(method));
}

RestoreMethod parse_restore_method(std::string_view name) {
  return RestoreMethod(index_of_name("method", name, kMethods));
}

std::vector<Image> restore(const Model& model, const Device& device, const LinearOperator& a,
                           std::span<const double> measurements, const RestoreOptions& options,
                           const std::function<void(const GenerateStep&)>& on_step) {
  GenerateOptions sampling = options.sampling;
  const SamplingRecipe recipe = recipe_of(model, sampling);
  check_request(model, recipe, sampling);
  const PictureSize size = size_of(model, sampling);
  check_restore(a, measurements, options, size);
  const PreparedRecipe prepared = prepare_recipe(model, recipe, size.elements());
  sampling.batch = std::min(sampling.batch, sampling.count);
  const bool spectral = options.method == RestoreMethod::ddrm || options.method == RestoreMethod::ddnm;
  BatchDenoiser denoiser(model, device, sampling, prepared, sampling.batch,
                         spectral ? NetworkEvaluator::Use::values : NetworkEvaluator::Use::products);
  const Denoiser plain = [&](std::span<const double> x, double sigma, std::span<double> denoised) {
    denoiser.denoise(x, sigma, denoised);
  };
  const DenoiserProduct product = [&](std::span<const double> x, double sigma, std::span<const double> probe,
                                      std::span<double> out) { denoiser.product(x, sigma, probe, out); };
  std::vector<Image> images;
  const PictureWalk walk{model, sampling, size, on_step};
  walk.for_each_batch([&](int done, int count) {
    denoiser.begin(sampling.first + done, count);
    const auto known = std::make_shared<const Measured>(
        measured(a, measurements, options.sigma, sampling.first + done, count));
    Sampler sampler = prepared.sampler;
    Denoiser denoise = plain;
    if (spectral) sampler = spectral_sampler(options.method, known, options.eta);
    if (options.method == RestoreMethod::pigdm) denoise = pigdm_denoiser(plain, product, known);
    if (options.method == RestoreMethod::dps)
      denoise = dps_denoiser(plain, product, known, prepared.levels.sigmas, options.dps_step);
    // What these methods make of D is limited, too; and where the limit was to be ddim's, here it is of D.
    if (prepared.limit && (!spectral || recipe.limit.spares_noise))
      denoise = limit_denoised(denoise, prepared.limit);
    std::vector<double> x(std::size_t(count) * size.elements());
    start_noise(sampling, done, x, size.elements());
    for (double& value : x) value *= prepared.levels.initial_std;
    append_images(
        walk.finish(done, count, sampler, prepared.levels.sigmas, std::move(x), walk.noise_of(done), denoise),
        size, images);
  });
  return images;
}

}  // namespace diffusion
