#include "eval/purified_classifier.h"

#include <algorithm>
#include <cstddef>

namespace diffusion {

PurifiedClassifier::PurifiedClassifier(const Classifier& classifier, const Model& model,
                                       const PurifyOptions& purify, const Device& device,
                                       NetworkEvaluator::Use use)
    : loss_(classifier, device, std::min(purify.sampling.batch, purify.sampling.count)),
      purification_(model, device, purify, use) {}

std::vector<int> PurifiedClassifier::predict(std::span<const double> x, std::span<const int> numbers,
                                             std::uint64_t seed) {
  clean_.resize(x.size());
  purification_.run(x, numbers, seed, clean_);
  return loss_.predict(clean_);
}

void PurifiedClassifier::evaluate(std::span<const double> x, const AttackedPictures& pictures,
                                  std::span<const std::uint64_t> seeds, Derivative derivative,
                                  std::span<double> losses, std::span<double> gradient) {
  clean_.resize(x.size());
  of_clean_.resize(x.size());
  of_x_.resize(x.size());
  losses_.resize(losses.size());
  std::ranges::fill(losses, 0);
  std::ranges::fill(gradient, 0);
  const double share = 1 / double(seeds.size());
  for (const std::uint64_t seed : seeds) {
    purification_.run(x, pictures.numbers, seed, clean_);
    loss_.evaluate(clean_, pictures.labels, losses_, of_clean_);
    if (derivative == Derivative::exact) purification_.product(of_clean_, of_x_);
    const std::vector<double>& of_x = derivative == Derivative::exact ? of_x_ : of_clean_;
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] += share * losses_[k];
    for (std::size_t k = 0; k < gradient.size(); ++k) gradient[k] += share * of_x[k];
  }
}

}  // namespace diffusion
