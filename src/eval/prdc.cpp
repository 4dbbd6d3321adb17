#include "eval/prdc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include <diffusion/error.h>
#include "eval/neighbors.h"

namespace diffusion {

namespace {

// Radii for precision_k and for density_k.
std::array<std::vector<float>, 2> radii_of(const FeatureSet& features, const FeatureSet& origin,
                                           const PrdcOptions& options) {
  const std::array ks{std::min(options.precision_k, options.density_k),
                      std::max(options.precision_k, options.density_k)};
  std::vector<std::vector<float>> radii = neighbor_radii(features, origin, ks);
  if (options.precision_k > options.density_k) std::swap(radii[0], radii[1]);
  return {std::move(radii[0]), std::move(radii[1])};
}

}  // namespace

ImageScores score_images(const FeatureSet& generated, const FeatureSet& real, const PrdcOptions& options) {
  if (options.precision_k < 1 || options.density_k < 1)
    throw Error(ErrorKind::usage, fmt::format("neighbors number {} and {} do not exist; k is at least 1",
                                              options.precision_k, options.density_k));
  check_features(generated, real, std::max(options.precision_k, options.density_k) + 1);
  const auto real_radii = radii_of(real, real, options);
  const std::vector<float> generated_radii = radii_of(generated, real, options)[0];

  ImageScores scores{
      std::vector<double>(std::size_t(generated.count)), std::vector<double>(std::size_t(generated.count)),
      std::vector<double>(std::size_t(real.count)), std::vector<double>(std::size_t(real.count))};
  // Rows are generated images, one thread each; all threads may find out about a real one.
  std::vector<std::atomic<bool>> recalled(std::size_t(real.count)), covered(std::size_t(real.count));
  for_each_squared_distance(generated, real, real, [&](const PairBlock& block) {
    for (int r = 0; r < block.rows; ++r) {
      const auto g = std::size_t(block.first_row + r);
      const std::span<const float> distances = block.row(r);
      int balls = 0;
      for (std::size_t c = 0; c < distances.size(); ++c) {
        const std::size_t i = std::size_t(block.first_column) + c;
        const float distance = distances[c];
        if (distance <= real_radii[0][i]) scores.precision[g] = 1;
        if (distance <= generated_radii[g]) recalled[i].store(true, std::memory_order_relaxed);
        if (distance <= real_radii[1][i]) {
          ++balls;
          covered[i].store(true, std::memory_order_relaxed);
        }
      }
      scores.density[g] += double(balls) / options.density_k;
    }
  });
  for (std::size_t i = 0; i < recalled.size(); ++i) {
    scores.recall[i] = recalled[i] ? 1 : 0;
    scores.coverage[i] = covered[i] ? 1 : 0;
  }
  return scores;
}

Prdc summarize(const ImageScores& scores, int resamples, std::uint64_t seed) {
  return {bootstrap_mean(scores.precision, resamples, seed), bootstrap_mean(scores.recall, resamples, seed),
          bootstrap_mean(scores.density, resamples, seed), bootstrap_mean(scores.coverage, resamples, seed)};
}

}  // namespace diffusion
