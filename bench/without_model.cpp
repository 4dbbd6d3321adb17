#include "without_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace diffusion {

namespace {

double cubic(double distance) {
  const double d = std::abs(distance);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  if (d < 2) return ((-0.5 * d + 2.5) * d - 4) * d + 2;
  return 0;
}

// [C, h, w] to [C, H, W], edge pixels going on beyond the edge.
std::vector<double> enlarged(std::span<const double> y, std::array<int, 3> from, std::array<int, 3> to) {
  std::vector<double> x;
  const auto at = [&](int c, int i, int j) {
    const auto row = std::size_t(c * from[1] + std::clamp(i, 0, from[1] - 1));
    return y[row * std::size_t(from[2]) + std::size_t(std::clamp(j, 0, from[2] - 1))];
  };
  for (int c = 0; c < to[0]; ++c)
    for (int i = 0; i < to[1]; ++i)
      for (int j = 0; j < to[2]; ++j) {
        const double row = (i + 0.5) * from[1] / to[1] - 0.5, column = (j + 0.5) * from[2] / to[2] - 0.5;
        double sum = 0;
        for (int k = int(std::floor(row)) - 1; k <= std::floor(row) + 2; ++k)
          for (int l = int(std::floor(column)) - 1; l <= std::floor(column) + 2; ++l)
            sum += cubic(row - k) * cubic(column - l) * at(c, k, l);
        x.push_back(sum);
      }
  return x;
}

// Differences of neighbors to the right and below; 0 beyond the edge. [2, C, H, W].
void differences(std::span<const double> x, std::array<int, 3> form, std::span<double> d) {
  const auto width = std::size_t(form[2]), height = std::size_t(form[1]);
  for (std::size_t k = 0; k < x.size(); ++k) {
    d[k] = k % width + 1 < width ? x[k + 1] - x[k] : 0;
    d[x.size() + k] = k / width % height + 1 < height ? x[k + width] - x[k] : 0;
  }
}

// Its transpose, added to x.
void add_transposed_differences(std::span<const double> d, std::array<int, 3> form, std::span<double> x) {
  const auto width = std::size_t(form[2]), height = std::size_t(form[1]);
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (k % width + 1 < width) x[k] -= d[k], x[k + 1] += d[k];
    if (k / width % height + 1 < height) x[k] -= d[x.size() + k], x[k + width] += d[x.size() + k];
  }
}

// |A x - y|^2 / 2 + weight TV(x) at its least (Chambolle and Pock 2011, algorithm 1).
std::vector<double> smoothest(const LinearOperator& a, std::span<const double> y, double weight) {
  constexpr int kIterations = 300;
  const double step = 1 / std::sqrt(8 + 1.0);  // of a norm of differences and A, which is at most 1
  const std::size_t size = a.input_size();
  std::vector<double> x(size), back(size), ahead(size), ax(y.size()), p(y.size()), d(2 * size), q(2 * size);
  a.transpose(y, x);
  ahead = x;
  for (int i = 0; i < kIterations; ++i) {
    a.apply(ahead, ax);
    for (std::size_t k = 0; k < y.size(); ++k) p[k] = (p[k] + step * (ax[k] - y[k])) / (1 + step);
    differences(ahead, a.from(), d);
    for (std::size_t k = 0; k < size; ++k) {
      const double right = q[k] + step * d[k], below = q[size + k] + step * d[size + k],
                   excess = std::max(1.0, std::hypot(right, below) / weight);
      q[k] = right / excess;
      q[size + k] = below / excess;
    }
    a.transpose(p, back);
    add_transposed_differences(q, a.from(), back);
    for (std::size_t k = 0; k < size; ++k) {
      const double next = x[k] - step * back[k];
      ahead[k] = 2 * next - x[k];
      x[k] = next;
    }
  }
  return x;
}

}  // namespace

std::vector<NamedPictures> without_model(const LinearOperator& a, std::span<const double> measurements,
                                         double sigma) {
  constexpr double kLeastWeight = 1e-3;
  const std::array<int, 3> form = a.from();
  const bool shrunk = a.to() != form,
             masked = std::ranges::all_of(a.singular(), [](double s) { return s == 0 || s == 1; });
  NamedPictures first{"bicubic", {}}, variation{"total variation", {}};
  if (!shrunk) first.first = "as measured";
  for (std::size_t from = 0; from < measurements.size(); from += a.output_size()) {
    const auto y = measurements.subspan(from, a.output_size());
    const std::vector<double> plain =
        shrunk ? enlarged(y, a.to(), form) : std::vector<double>(y.begin(), y.end());
    first.second.push_back(to_image(plain, form[0], form[1], form[2]));
    if (!shrunk)
      variation.second.push_back(
          to_image(smoothest(a, y, std::max(kLeastWeight, sigma)), form[0], form[1], form[2]));
  }
  if (shrunk) return {first};
  if (masked) return {variation};
  return {first, variation};
}

}  // namespace diffusion
