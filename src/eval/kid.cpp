#include "eval/kid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"
#include "eval/neighbors.h"

namespace diffusion {

namespace {

double kernel(double product, int width) {
  const double k = product / width + 1;
  return k * k * k;
}

// The sum of the kernel over all pairs, without (i, i) if so wanted.
double kernel_sum(const FeatureSet& x, const FeatureSet& y, bool skip_self) {
  std::vector<double> row_sums(static_cast<std::size_t>(x.count));  // one thread writes to each
  for_each_inner_product(x, y, [&](const PairBlock& block) {
    for (int r = 0; r < block.rows; ++r) {
      const int row = block.first_row + r;
      const std::span<const float> products = block.row(r);
      double sum = 0;
      for (const float p : products) sum += kernel(double(p), x.width);
      const int self = row - block.first_column;
      if (skip_self && self >= 0 && self < block.columns)
        sum -= kernel(double(products[std::size_t(self)]), x.width);
      row_sums[std::size_t(row)] += sum;
    }
  });
  double sum = 0;
  for (const double s : row_sums) sum += s;
  return sum;
}

FeatureSet subset(const FeatureSet& features, int size, std::uint64_t seed, int number, std::uint32_t set) {
  FeatureSet part{size, features.width, {}};
  const RandomKey key{seed, Stream::shuffle, set, std::uint32_t(number)};
  for (int i = 0; i < size; ++i) {
    const auto row = features.row(int(permute(key, std::uint64_t(i), std::uint64_t(features.count))));
    part.values.insert(part.values.end(), row.begin(), row.end());
  }
  return part;
}

}  // namespace

double squared_discrepancy(const FeatureSet& generated, const FeatureSet& real) {
  check_features(generated, real, 2);
  const double n = generated.count, m = real.count;
  return kernel_sum(generated, generated, true) / (n * (n - 1)) +
         kernel_sum(real, real, true) / (m * (m - 1)) - 2 * kernel_sum(generated, real, false) / (n * m);
}

Score kernel_distance(const FeatureSet& generated, const FeatureSet& real, const KidOptions& options,
                      std::uint64_t seed) {
  check_features(generated, real, 2);
  if (options.subsets < 1 || options.subset_size < 2)
    throw Error(ErrorKind::usage,
                fmt::format("{} subsets of {} images make no KID; accepted are 1 or more of 2 or more",
                            options.subsets, options.subset_size));
  const int whole = std::min(generated.count, real.count), size = std::min(options.subset_size, whole);
  std::vector<double> values;
  for (int s = 0; s < options.subsets; ++s)
    values.push_back(
        squared_discrepancy(subset(generated, size, seed, s, 0), subset(real, size, seed, s, 1)));
  double mean = 0;
  for (const double v : values) mean += v / double(values.size());
  const double shrink = std::sqrt(double(size) / whole);
  return {mean,
          {mean + shrink * (quantile(values, 0.05) - mean), mean + shrink * (quantile(values, 0.95) - mean)}};
}

}  // namespace diffusion
