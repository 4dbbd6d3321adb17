#include "eval/retrieval.h"

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>

namespace diffusion {

namespace {

// From 5% to 95%.
Interval wilson_interval(double share, double trials) {
  constexpr double kZ = 1.6448536269514722;
  const double spread = kZ * kZ / trials, middle = share + spread / 2,
               half = kZ * std::sqrt(share * (1 - share) / trials + spread / (4 * trials));
  return {std::max(0.0, (middle - half) / (1 + spread)), std::min(1.0, (middle + half) / (1 + spread))};
}

Score recall(std::span<const int> places, int most, int trials) {
  const auto found = std::ranges::count_if(places, [&](int place) { return place <= most; });
  const double share = double(found) / double(places.size());
  return {share, wilson_interval(share, trials)};
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

Retrieval retrieval(std::span<const int> places, int trials) {
  if (places.empty() || trials < 1) throw Error(ErrorKind::usage, "retrieval needs pictures");
  return {recall(places, 1, trials), recall(places, 5, trials)};
}

}  // namespace diffusion
