#include "eval/nearness.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "eval/bootstrap.h"
#include "eval/nearest.h"

namespace diffusion {

namespace {

template <class T>
double distance(std::span<const T> a, std::span<const T> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
  return std::sqrt(sum);
}

// What differs between pixels and features.
struct Space {
  std::function<Neighbors(const PicturesAndFeatures& pictures, const PicturesAndFeatures& among)> nearest;
  std::function<double(const PicturesAndFeatures& a, int i, const PicturesAndFeatures& b, int k)> distance;
};

// The distance of each drawing to the nearest of the real pictures with its words.
std::vector<double> distances_to_own(const PicturesAndFeatures& drawings, const PicturesAndFeatures& asked,
                                     const Space& space) {
  std::map<std::uint16_t, std::vector<int>> pictures;
  for (int k = 0; k < asked.images.count(); ++k) pictures[asked.images.labels[std::size_t(k)]].push_back(k);
  std::vector<double> distances;
  for (int i = 0; i < drawings.images.count(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (const int k : pictures.at(drawings.images.labels[std::size_t(i)]))
      least = std::min(least, space.distance(drawings, i, asked, k));
    distances.push_back(least);
  }
  return distances;
}

double share_nearest_to_own(const PicturesAndFeatures& drawings, const RealPictures& real,
                            const Neighbors& training, const Space& space) {
  std::optional<Neighbors> held_out;
  if (real.held_out) held_out = space.nearest(drawings, *real.held_out);
  int own = 0;
  for (int i = 0; i < drawings.images.count(); ++i) {
    const Neighbor& known = training.of(i).front();
    const bool unknown_is_nearer = held_out && held_out->of(i).front().distance < known.distance;
    const std::uint16_t words = unknown_is_nearer
                                    ? real.held_out->images.labels[std::size_t(held_out->of(i).front().index)]
                                    : real.training.images.labels[std::size_t(known.index)];
    own += words == drawings.images.labels[std::size_t(i)] ? 1 : 0;
  }
  return double(own) / drawings.images.count();
}

// Of words that are held out.
void look_for_copied_words(const PicturesAndFeatures& drawings, const RealPictures& real,
                           std::span<const double> distances, const Space& space, Nearness& result) {
  const std::vector<double> of_real = space.nearest(real.asked, real.training).nearest_distances();
  result.median_of_real = quantile(of_real, 0.5);
  std::map<std::uint16_t, double> least;
  for (std::size_t k = 0; k < of_real.size(); ++k) {
    const auto [found, is_new] = least.emplace(real.asked.images.labels[k], of_real[k]);
    if (!is_new) found->second = std::min(found->second, of_real[k]);
  }
  int nearer = 0;
  for (std::size_t i = 0; i < distances.size(); ++i)
    nearer += distances[i] < least.at(drawings.images.labels[i]) ? 1 : 0;
  result.nearer = double(nearer) / double(distances.size());
}

Nearness nearness(const PicturesAndFeatures& drawings, const RealPictures& real, const Space& space) {
  const Neighbors training = space.nearest(drawings, real.training);
  const std::vector<double> distances = training.nearest_distances();
  Nearness result{.own = share_nearest_to_own(drawings, real, training, space),
                  .median_own = quantile(distances_to_own(drawings, real.asked, space), 0.5),
                  .median_training = quantile(distances, 0.5),
                  .closest = std::ranges::min(distances)};
  if (real.asked_are_held_out) look_for_copied_words(drawings, real, distances, space, result);
  return result;
}

}  // namespace

Nearness nearness_in_pixels(const PicturesAndFeatures& drawings, const RealPictures& real,
                            const EvaluationWatch& watch) {
  return nearness(drawings, real,
                  {[&](const PicturesAndFeatures& pictures, const PicturesAndFeatures& among) {
                     return nearest_in_pixels(pictures.images, among.images, 1, [&](double share) {
                       if (watch) watch({"nearest pictures", share, pictures.images.count()});
                     });
                   },
                   [](const PicturesAndFeatures& a, int i, const PicturesAndFeatures& b, int k) {
                     return distance(a.images.image(i), b.images.image(k));
                   }});
}

Nearness nearness_in_features(const PicturesAndFeatures& drawings, const RealPictures& real) {
  return nearness(drawings, real,
                  {[](const PicturesAndFeatures& pictures, const PicturesAndFeatures& among) {
                     return nearest_in_features(pictures.features, among.features, 1);
                   },
                   [](const PicturesAndFeatures& a, int i, const PicturesAndFeatures& b, int k) {
                     return distance(a.features.row(i), b.features.row(k));
                   }});
}

}  // namespace diffusion
