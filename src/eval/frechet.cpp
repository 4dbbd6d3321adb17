#include "eval/frechet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <diffusion/device.h>
#include <diffusion/error.h>

namespace diffusion {

Moments::Moments(int width) : sum_(std::size_t(width)), products_(width) {}

void Moments::add(std::span<const float> rows, std::span<const int> times) {
  const auto width = sum_.size();
  const std::size_t n = rows.size() / width;
  if (rows.size() != n * width || (!times.empty() && times.size() != n))
    throw Error(ErrorKind::internal, "Moments::add was given part of a row, or too few counts");
  if (n == 0) return;
  if (pivot_.empty()) pivot_.assign(rows.begin(), rows.begin() + std::ptrdiff_t(width));

  constexpr std::size_t kBlock = 64;  // rows that stay in the cache while every row of the matrix is updated
  std::vector<double> centered, weight;
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    centered.clear();
    weight.clear();
    for (std::size_t r = begin; r < std::min(n, begin + kBlock); ++r) {
      const int count = times.empty() ? 1 : times[r];
      if (count == 0) continue;
      count_ += count;
      weight.push_back(count);
      for (std::size_t j = 0; j < width; ++j) {
        centered.push_back(double(rows[r * width + j]) - pivot_[j]);
        sum_[j] += count * centered.back();
      }
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(thread_count()) if (products_.n >= 64)
    for (int i = 0; i < products_.n; ++i) {
      double* products = &products_.at(i, 0);
      std::size_t r = 0;
      // Four rows at a time, added in the order of one at a time: the memory of the matrix is what takes
      // time.
      for (; r + 4 <= weight.size(); r += 4) {
        const double *a = &centered[r * width], *b = a + width, *c = b + width, *d = c + width;
        const double fa = weight[r] * a[i], fb = weight[r + 1] * b[i], fc = weight[r + 2] * c[i],
                     fd = weight[r + 3] * d[i];
        for (int j = 0; j <= i; ++j)
          products[j] = (((products[j] + fa * a[j]) + fb * b[j]) + fc * c[j]) + fd * d[j];
      }
      for (; r < weight.size(); ++r) {
        const double* x = &centered[r * width];
        const double factor = weight[r] * x[i];
        for (int j = 0; j <= i; ++j) products[j] += factor * x[j];
      }
    }
  }
}

Gaussian Moments::gaussian() const {
  if (count_ < 2)
    throw Error(ErrorKind::usage, fmt::format("a covariance needs at least 2 images; there are {}", count_));
  Gaussian g{pivot_, products_};
  const auto n = double(count_);
  for (int i = 0; i < products_.n; ++i) {
    g.mean[std::size_t(i)] += sum_[std::size_t(i)] / n;
    for (int j = 0; j <= i; ++j) {
      double& c = g.covariance.at(i, j);
      c = (c - sum_[std::size_t(i)] * sum_[std::size_t(j)] / n) / (n - 1);
    }
  }
  return g;
}

Gaussian gaussian_of(const FeatureSet& features) {
  check_features(features, 2, "the images");
  Moments moments(features.width);
  moments.add(features.values);
  return moments.gaussian();
}

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  if (a.covariance.n != b.covariance.n)
    throw Error(ErrorKind::usage, fmt::format("Gaussians of {} and {} features have no distance",
                                              a.covariance.n, b.covariance.n));
  double distance = 0;
  for (std::size_t i = 0; i < a.mean.size(); ++i) {
    const double d = a.mean[i] - b.mean[i];
    distance += d * d + a.covariance.at(int(i), int(i)) + b.covariance.at(int(i), int(i));
  }
  const Factor fa = positive_factor(a.covariance), fb = positive_factor(b.covariance);
  // The lower rank leaves fewer eigenvalues that are zero but for rounding, whose roots are not small.
  const SymmetricMatrix product =
      fa.rank < fb.rank ? congruence(fa, b.covariance) : congruence(fb, a.covariance);
  for (const double value : symmetric_eigenvalues(product)) distance -= 2 * std::sqrt(std::max(0.0, value));
  return std::max(0.0, distance);
}

double frechet_distance(const FeatureSet& a, const FeatureSet& b) {
  check_features(a, b, 2);
  return frechet_distance(gaussian_of(a), gaussian_of(b));
}

}  // namespace diffusion
