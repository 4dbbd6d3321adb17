#include "eval/memorization.h"

#include <algorithm>
#include <numeric>

#include <diffusion/error.h>
#include "eval/bootstrap.h"

namespace diffusion {

namespace {

constexpr std::size_t kClosest = 4, kTypical = 8;

// Rows in ascending order of the distance to their nearest neighbor.
std::vector<int> by_distance(const Neighbors& neighbors) {
  std::vector<int> order(std::size_t(neighbors.count()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int i) { return neighbors.of(i).front().distance; });
  return order;
}

}  // namespace

Memorization memorization(std::span<const double> samples, std::span<const double> test) {
  if (samples.empty() || test.empty())
    throw Error(ErrorKind::usage, "to look for copies of training images takes samples and test images");
  Memorization result;
  result.test_quantile = quantile({test.begin(), test.end()}, kSuspectQuantile);
  result.closest = std::ranges::min(samples);
  result.nearer = int(std::ranges::count_if(samples, [&](double d) { return d < result.test_quantile; }));
  result.share_nearer = double(result.nearer) / double(samples.size());
  result.median = quantile({samples.begin(), samples.end()}, 0.5);
  result.test_median = quantile({test.begin(), test.end()}, 0.5);
  return result;
}

ShownSamples samples_to_show(const Neighbors& pixels, const Neighbors& features) {
  if (pixels.count() != features.count())
    throw Error(ErrorKind::internal, "the neighbors in pixels and in features are not of the same samples");
  ShownSamples shown;
  std::vector<bool> used(std::size_t(pixels.count()));
  const auto take = [&](int i, std::vector<int>& list) {
    used[std::size_t(i)] = true;
    list.push_back(i);
  };
  const std::vector<int> order = by_distance(pixels);
  for (const int i : order)
    if (shown.closest_in_pixels.size() < kClosest) take(i, shown.closest_in_pixels);
  for (const int i : by_distance(features))
    if (shown.closest_in_features.size() < kClosest && !used[std::size_t(i)])
      take(i, shown.closest_in_features);
  std::vector<int> rest;
  std::ranges::copy_if(order, std::back_inserter(rest), [&](int i) { return !used[std::size_t(i)]; });
  const std::size_t wanted = std::min(kTypical, rest.size());
  for (std::size_t n = 0; n < wanted; ++n)
    shown.typical.push_back(rest[(2 * n + 1) * rest.size() / (2 * wanted)]);
  return shown;
}

}  // namespace diffusion
