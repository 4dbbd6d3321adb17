#include "eval/classifier_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include <diffusion/error.h>
#include "eval/cross_entropy.h"
#include "eval/feature_maps.h"

namespace diffusion {

ClassifierLoss::ClassifierLoss(const Classifier& classifier, const Device& device, int most)
    : net_(make_classifier_graph(classifier.config, most)),
      plan_(net_.graph, net_.logit_maps, device, Mode::training, classifier.params, {.input_grads = true}),
      picture_size_(std::size_t(net_.graph.shape(net_.sample).elements()) / std::size_t(most)),
      classes_(std::size_t(net_.graph.shape(net_.logit_maps).c)),
      pixels_(std::size_t(net_.graph.shape(net_.logit_maps).pixels())),
      pictures_(std::size_t(net_.graph.shape(net_.sample).elements())),
      maps_(std::size_t(net_.graph.shape(net_.logit_maps).elements())),
      map_gradient_(maps_.size()),
      gradient_(pictures_.size()) {}

// What is left of an earlier call fills the batch.
void ClassifierLoss::forward(std::span<const double> pictures) {
  if (pictures.empty() || pictures.size() % picture_size_ != 0 || pictures.size() > pictures_.size())
    throw Error(ErrorKind::usage,
                fmt::format("a classifier for {} numbers at most, {} of a picture, was given {}",
                            pictures_.size(), picture_size_, pictures.size()));
  std::ranges::copy(pictures, pictures_.begin());
  plan_.write_input(net_.sample, pictures_);
  plan_.forward();
  plan_.read_output(maps_);
  logits_ = means_over_pixels(maps_, pixels_);
}

std::span<const float> ClassifierLoss::logits(std::size_t k) const {
  return std::span(logits_).subspan(k * classes_, classes_);
}

std::vector<int> ClassifierLoss::predict(std::span<const double> pictures) {
  forward(pictures);
  std::vector<int> classes;
  for (std::size_t k = 0; k < pictures.size() / picture_size_; ++k)
    classes.push_back(index_of_largest(logits(k)));
  return classes;
}

void ClassifierLoss::evaluate(std::span<const double> pictures, std::span<const int> labels,
                              std::span<double> losses, std::span<double> gradient) {
  forward(pictures);
  std::vector<float> of_logits(classes_);
  std::ranges::fill(map_gradient_, 0.0f);
  for (std::size_t k = 0; k < labels.size(); ++k) {
    losses[k] = cross_entropy_and_grad(logits(k), labels.subspan(k, 1), 0, of_logits);
    spread_over_pixels(of_logits, pixels_, std::span(map_gradient_).subspan(k * classes_ * pixels_));
  }
  plan_.backward(map_gradient_);
  plan_.read_input_grad(net_.sample, gradient_);
  std::copy_n(gradient_.begin(), gradient.size(), gradient.begin());
}

}  // namespace diffusion
