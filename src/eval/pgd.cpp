#include "eval/pgd.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

namespace {

double norm_of(std::span<const double> v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
}

// One picture under attack, in [-1, 1], where eps is twice as large.
struct Ball {
  std::span<const double> center;
  AttackNorm norm;
  double radius;

  void project(std::span<double> x) const {
    double shrink = 1;
    if (norm == AttackNorm::l2) {
      std::vector<double> change(x.size());
      std::ranges::transform(x, center, change.begin(), std::minus<>());
      shrink = std::min(1.0, radius / std::max(norm_of(change), std::numeric_limits<double>::min()));
    }
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double change = norm == AttackNorm::linf ? std::clamp(x[k] - center[k], -radius, radius)
                                                     : shrink * (x[k] - center[k]);
      x[k] = std::clamp(center[k] + change, -1.0, 1.0);
    }
  }

  // A random place. In many dimensions nearly all of a ball of l2 is near its surface.
  void enter(const RandomKey& key, std::span<double> x) const {
    if (norm == AttackNorm::linf) {
      for (std::size_t k = 0; k < x.size(); ++k)
        x[k] = center[k] + radius * (2 * uniform(key, std::uint32_t(k)) - 1);
    } else {
      fill_normal(key, x);
      const double length = norm_of(x);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] = center[k] + radius / length * x[k];
    }
    project(x);
  }

  void ascend(std::span<const double> gradient, double step, std::span<double> x) const {
    const double length = norm == AttackNorm::l2 ? norm_of(gradient) : 1;
    for (std::size_t k = 0; k < x.size(); ++k)
      if (gradient[k] != 0)
        x[k] += step * (norm == AttackNorm::linf ? std::copysign(1.0, gradient[k]) : gradient[k] / length);
    project(x);
  }
};

}  // namespace

std::vector<double> pgd(const AttackLoss& loss, std::span<const double> pictures,
                        std::span<const int> numbers, const AttackOptions& options) {
  const std::size_t count = numbers.size(), size = pictures.size() / count;
  const double radius = 2 * options.eps, step = 2.5 * radius / options.steps;
  const auto of = [size](auto& all, std::size_t k) { return std::span(all).subspan(k * size, size); };
  std::vector<double> x(pictures.size()), best(pictures.begin(), pictures.end()), gradient(x.size()),
      losses(count), largest(count, -std::numeric_limits<double>::infinity());
  for (std::size_t k = 0; k < count; ++k)
    Ball{of(pictures, k), options.norm, radius}.enter(
        {options.seed, Stream::transform, std::uint32_t(numbers[k]), 0}, of(x, k));
  for (int i = 0; i <= options.steps; ++i) {
    loss(x, i, losses, gradient);
    for (std::size_t k = 0; k < count; ++k) {
      if (!std::isfinite(losses[k]))
        throw Error(ErrorKind::non_finite, fmt::format("the loss of picture {} is {} at step {} of an attack",
                                                       numbers[k], losses[k], i));
      if (losses[k] > largest[k]) {
        largest[k] = losses[k];
        std::ranges::copy(of(x, k), of(best, k).begin());
      }
      if (i < options.steps)
        Ball{of(pictures, k), options.norm, radius}.ascend(of(gradient, k), step, of(x, k));
    }
  }
  return best;
}

}  // namespace diffusion
