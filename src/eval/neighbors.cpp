#include "eval/neighbors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "device/cpu/kernel_table.h"

namespace diffusion {

namespace {

constexpr int kRows = 48, kColumns = 512;  // of a block; columns are a multiple of every vector length

// The columns of x y^T in panels [width, kColumns], as the product wants them, with zeros after the last.
std::vector<float> pack_panels(const FeatureSet& y) {
  const int panels = (y.count + kColumns - 1) / kColumns;
  std::vector<float> packed(std::size_t(panels) * std::size_t(y.width) * kColumns);
  for (int i = 0; i < y.count; ++i) {
    float* panel = &packed[std::size_t(i / kColumns) * std::size_t(y.width) * kColumns];
    const std::span<const float> row = y.row(i);
    for (std::size_t k = 0; k < row.size(); ++k) panel[k * kColumns + std::size_t(i % kColumns)] = row[k];
  }
  return packed;
}

FeatureSet moved(FeatureSet set, std::span<const double> origin) {
  for (std::size_t i = 0; i < set.values.size(); ++i)
    set.values[i] = float(double(set.values[i]) - origin[i % origin.size()]);
  return set;
}

std::vector<double> mean_of(const FeatureSet& set) {
  std::vector<double> mean(std::size_t(set.width));
  for (std::size_t i = 0; i < set.values.size(); ++i) mean[i % mean.size()] += double(set.values[i]);
  for (double& m : mean) m /= set.count;
  return mean;
}

std::vector<float> squared_norms(const FeatureSet& set) {
  std::vector<float> norms;
  for (int i = 0; i < set.count; ++i) {
    double sum = 0;
    for (const float v : set.row(i)) sum += double(v) * double(v);
    norms.push_back(float(sum));
  }
  return norms;
}

void for_each_product(const FeatureSet& x, const FeatureSet& y,
                      const std::function<void(const PairBlock&, std::span<float>)>& use) {
  if (x.width != y.width)
    throw Error(ErrorKind::internal, "inner products of features of two networks were asked for");
  const std::vector<float> panels = pack_panels(y);
  const KernelTable& table = cpu_kernel_table();
  const int row_blocks = (x.count + kRows - 1) / kRows;
#pragma omp parallel for schedule(dynamic) num_threads(thread_count())
  for (int b = 0; b < row_blocks; ++b) {
    std::vector<float> values(std::size_t(kRows) * kColumns);
    const int row = b * kRows, rows = std::min(kRows, x.count - row);
    for (int column = 0; column < y.count; column += kColumns) {
      table.gemm(rows, kColumns, x.width, x.row(row).data(), x.width, 1,
                 &panels[std::size_t(column) * std::size_t(y.width)], kColumns, values.data(), kColumns,
                 false);
      use({row, rows, column, std::min(kColumns, y.count - column), kColumns, values}, values);
    }
  }
}

}  // namespace

void for_each_inner_product(const FeatureSet& x, const FeatureSet& y,
                            const std::function<void(const PairBlock&)>& use) {
  for_each_product(x, y, [&](const PairBlock& block, std::span<float>) { use(block); });
}

void for_each_squared_distance(const FeatureSet& x, const FeatureSet& y, const FeatureSet& origin,
                               const std::function<void(const PairBlock&)>& use) {
  const std::vector<double> center = mean_of(origin);
  const FeatureSet from = moved(x, center), to = moved(y, center);
  const std::vector<float> from_norms = squared_norms(from), to_norms = squared_norms(to);
  for_each_product(from, to, [&](const PairBlock& block, std::span<float> values) {
    for (int r = 0; r < block.rows; ++r) {
      float* row = &values[std::size_t(r) * std::size_t(block.stride)];
      const float norm = from_norms[std::size_t(block.first_row + r)];
      const float* norms = &to_norms[std::size_t(block.first_column)];
      for (int c = 0; c < block.columns; ++c) row[c] = std::max(0.f, norm + norms[c] - 2 * row[c]);
    }
    use(block);
  });
}

std::vector<std::vector<float>> neighbor_radii(const FeatureSet& x, const FeatureSet& origin,
                                               std::span<const int> ks) {
  if (ks.empty() || !std::ranges::is_sorted(ks) || ks.front() < 1 || ks.back() >= x.count)
    throw Error(ErrorKind::usage, fmt::format("{} images do not have a neighbor number {}", x.count,
                                              ks.empty() ? 0 : ks.back()));
  const auto kept = std::size_t(ks.back());
  // The `kept` smallest so far, ascending, for each row.
  std::vector<float> nearest(std::size_t(x.count) * kept, std::numeric_limits<float>::infinity());
  for_each_squared_distance(x, x, origin, [&](const PairBlock& block) {
    for (int r = 0; r < block.rows; ++r) {
      const int self = block.first_row + r - block.first_column;
      float* best = &nearest[std::size_t(block.first_row + r) * kept];
      const std::span<const float> distances = block.row(r);
      for (int c = 0; c < block.columns; ++c) {
        const float distance = distances[std::size_t(c)];
        if (!(distance < best[kept - 1]) || c == self) continue;
        float* place = std::upper_bound(best, best + kept, distance);
        std::move_backward(place, best + kept - 1, best + kept);
        *place = distance;
      }
    }
  });
  std::vector<std::vector<float>> radii(ks.size());
  for (std::size_t k = 0; k < ks.size(); ++k)
    for (std::size_t i = 0; i < std::size_t(x.count); ++i)
      radii[k].push_back(nearest[i * kept + std::size_t(ks[k]) - 1]);
  return radii;
}

}  // namespace diffusion
