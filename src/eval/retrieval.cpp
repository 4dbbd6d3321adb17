#include "eval/retrieval.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include <diffusion/error.h>
#include "eval/bootstrap.h"

namespace diffusion {

namespace {

Score recall(std::span<const int> places, int most, int trials) {
  const auto found = std::ranges::count_if(places, [&](int place) { return place <= most; });
  const double share = double(found) / double(places.size());
  return share_of_trials(share, trials);
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return sum;
}

}  // namespace

std::vector<int> places_of_asked(const Classifier& classifier, const FeatureSet& features,
                                 std::span<const std::uint16_t> asked) {
  check_features(features, 1, "the pictures");
  if (asked.size() != std::size_t(features.count) || features.width != classifier.config.feature_width())
    throw Error(ErrorKind::internal, "retrieval needs what was asked for of every picture, and its features");
  std::vector<int> places;
  for (int i = 0; i < features.count; ++i) {
    const std::vector<float> logits = logits_of(classifier, features.row(i));
    const float own = logits.at(asked[std::size_t(i)]);
    places.push_back(int(std::ranges::count_if(logits, [&](float logit) { return logit >= own; })));
  }
  return places;
}

std::vector<int> places_of_nearest(const FeatureSet& features, std::span<const std::uint16_t> asked,
                                   const FeatureSet& real, std::span<const std::uint16_t> labels) {
  check_features(features, real, 1);
  if (asked.size() != std::size_t(features.count) || labels.size() != std::size_t(real.count))
    throw Error(ErrorKind::internal, "retrieval needs what was asked for of every picture, and all labels");
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const std::size_t classes = std::size_t(std::max(std::ranges::max(labels), std::ranges::max(asked))) + 1;
  std::vector<int> places;
  for (int i = 0; i < features.count; ++i) {
    std::vector<double> nearest(classes, kNone);  // of each class
    for (int k = 0; k < real.count; ++k) {
      double& least = nearest[labels[std::size_t(k)]];
      least = std::min(least, squared_distance(features.row(i), real.row(k)));
    }
    const double own = nearest[asked[std::size_t(i)]];
    if (own == kNone) throw Error(ErrorKind::internal, "there is no real picture of what was asked for");
    places.push_back(int(std::ranges::count_if(nearest, [&](double other) { return other <= own; })));
  }
  return places;
}

Retrieval retrieval(std::span<const int> places, int trials) {
  if (places.empty() || trials < 1) throw Error(ErrorKind::usage, "retrieval needs pictures");
  return {recall(places, 1, trials), recall(places, 5, trials)};
}

}  // namespace diffusion
