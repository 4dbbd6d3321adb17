#pragma once

// The Frechet distance between Gaussians that have the mean and covariance of two sets of features (Heusel et
// al. 2017, arXiv 1706.08500; FID if the features are Inception's):
//   |m1 - m2|^2 + Tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2)

#include <cstdint>
#include <span>
#include <vector>

#include "eval/features.h"
#include "eval/linear_algebra.h"

namespace diffusion {

struct Gaussian {
  std::vector<double> mean;
  SymmetricMatrix covariance;  // unbiased, divided by count - 1
};

// Sums of features in double, block after block, so that they never need to be in memory together.
class Moments {
 public:
  explicit Moments(int width);

  // rows: [n, width]. times: how often each of the n rows counts; empty: once.
  void add(std::span<const float> rows, std::span<const int> times = {});

  std::int64_t count() const { return count_; }
  Gaussian gaussian() const;  // Error(usage) for fewer than two rows

 private:
  std::vector<double> pivot_,
      sum_;  // sums are those of row - pivot, the first row: no cancellation when the mean is large
  SymmetricMatrix products_;
  std::int64_t count_ = 0;
};

Gaussian gaussian_of(const FeatureSet& features);

// Never negative. With S2 = L^T L the trace of the root is the sum of the roots of the eigenvalues of L S1
// L^T, which stays true if the covariances are of lower rank (fewer images than features), and needs no
// eigenvectors. Exact to about 1e-7 of the traces then, and to 1e-12 where both are well-conditioned.
// Error(usage) for different widths.
double frechet_distance(const Gaussian& a, const Gaussian& b);
double frechet_distance(const FeatureSet& a, const FeatureSet& b);

}  // namespace diffusion
