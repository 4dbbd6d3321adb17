#include "diffusion/batch_denoiser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/guidance.h"

namespace diffusion {

BatchDenoiser::BatchDenoiser(const Model& model, const Device& device, const GenerateOptions& options,
                             const PreparedRecipe& prepared, int most, NetworkEvaluator::Use use)
    : model_(model),
      options_(options),
      prepared_(prepared),
      most_(std::size_t(most)),
      evaluator_(model, device, most, size_of(model, options).height, size_of(model, options).width, use),
      with_products_(use == NetworkEvaluator::Use::products) {
  const PictureSize size = size_of(model, options);
  if (with_products_ && (options.guide || prepared.recipe.guidance.rescale != 0))
    throw Error(ErrorKind::usage,
                "a method that needs derivatives of the network takes guidance from classes or words, but "
                "neither another model as a guide nor a rescale");
  if (options.guide) guide_.emplace(*options.guide, device, most, size.height, size.width);
}

void BatchDenoiser::begin(int first, int count) {
  estimate_.emplace(prepared_, std::size_t(count), conditions_of(model_, options_, first, count),
                    unconditional_of(model_, options_, count));
}

void BatchDenoiser::denoise(std::span<const double> x, double sigma, std::span<double> denoised) {
  rows_.clear();
  guide_rows_.clear();
  estimate_->ask(x, sigma, rows_, guide_rows_);
  diffusion::denoise(evaluator_, rows_, most_, denoised_);
  if (guide_) diffusion::denoise(*guide_, guide_rows_, most_, guide_denoised_);
  estimate_->answer(sigma, denoised_, guide_denoised_, denoised);
  if (!with_products_) return;
  has_activations_ = rows_.count() <= most_;
  limited_.assign(denoised.size(), false);
  const EstimateLimit& limit = prepared_.recipe.limit;
  if (!limit.clips() || limit.spares_noise) return;
  for (std::size_t k = 0; k < denoised.size(); ++k) {
    double free = 0;  // without the limit
    for (std::size_t row = k; row < denoised_.size(); row += denoised.size())
      free += estimate_->weight_of(row / prepared_.image_size, sigma) * denoised_[row];
    limited_[k] = std::abs(free) > limit.range;
  }
}

void BatchDenoiser::product(std::span<const double> x, double sigma, std::span<const double> probe,
                            std::span<double> product) {
  rows_.clear();
  guide_rows_.clear();
  estimate_->ask(x, sigma, rows_, guide_rows_);
  const std::size_t size = prepared_.image_size, rows = rows_.count();
  probes_.resize(rows * size);
  products_.resize(rows * size);
  denoised_.resize(rows * size);
  for (std::size_t k = 0; k < probes_.size(); ++k)
    probes_[k] =
        limited_[k % probe.size()] ? 0 : estimate_->weight_of(k / size, sigma) * probe[k % probe.size()];
  if (std::exchange(has_activations_, false))
    evaluator_.product(rows_.levels, probes_, products_);
  else
    for (std::size_t first = 0; first < rows; first += most_) {
      const std::size_t count = std::min(most_, rows - first);
      const auto part = [&](auto& numbers) { return std::span(numbers).subspan(first * size, count * size); };
      evaluator_.denoise(part(rows_.states), std::span(rows_.levels).subspan(first, count),
                         conditions_of_rows(rows_, first, count), part(probes_), part(denoised_),
                         part(products_));
    }
  std::ranges::fill(product, 0);
  for (std::size_t k = 0; k < products_.size(); ++k) product[k % product.size()] += products_[k];
}

}  // namespace diffusion
