#pragma once

// Inner products and distances of all rows of one set with all of another: blocked, in f32, on all threads of
// the CPU device.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "eval/features.h"

namespace diffusion {

// A part of the matrix of all pairs: rows first_row ... of one set with rows first_column ... of the other;
// values [rows, stride], of which the first `columns` of a row count.
struct PairBlock {
  int first_row, rows, first_column, columns, stride;
  std::span<const float> values;

  std::span<const float> row(int r) const {
    return values.subspan(std::size_t(r) * std::size_t(stride), std::size_t(columns));
  }
};

// Calls `use` once for every block of x y^T. The blocks of some rows come one after the other, from left to
// right, in one thread; those of other rows may come from other threads at the same time. The bits do not
// depend on the number of threads.
void for_each_inner_product(const FeatureSet& x, const FeatureSet& y,
                            const std::function<void(const PairBlock&)>& use);

// The same for |x_i - y_j|^2 >= 0. Both sets are first moved so that the mean of `origin` is zero, because
// |x|^2 + |y|^2 - 2 x y cancels for points far from zero: the error is some 1e-6 of |x|^2 + |y|^2 then. For
// distances that will be compared, `origin` should be one and the same set.
void for_each_squared_distance(const FeatureSet& x, const FeatureSet& y, const FeatureSet& origin,
                               const std::function<void(const PairBlock&)>& use);

// For each row the squared distance to its k-th nearest other row of the same set, for each of `ks`
// (ascending, 1 <= k < count): [ks][count]. Another row that is equal counts as a neighbor at distance 0.
std::vector<std::vector<float>> neighbor_radii(const FeatureSet& x, const FeatureSet& origin,
                                               std::span<const int> ks);

}  // namespace diffusion
