#include <algorithm>
#include <cmath>

#include <diffusion/edit.h>

namespace diffusion {

std::vector<double> slerp(std::span<const double> a, std::span<const double> b, double t) {
  if (t == 0) return {a.begin(), a.end()};
  if (t == 1) return {b.begin(), b.end()};
  double dot = 0, norm_a = 0, norm_b = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    dot += a[k] * b[k];
    norm_a += a[k] * a[k];
    norm_b += b[k] * b[k];
  }
  norm_a = std::sqrt(norm_a);
  norm_b = std::sqrt(norm_b);
  constexpr double kParallel = 1e-6;
  const double angle = norm_a > 0 && norm_b > 0 ? std::acos(std::clamp(dot / norm_a / norm_b, -1.0, 1.0)) : 0;
  std::vector<double> point(a.size());
  if (std::sin(angle) < kParallel) {
    for (std::size_t k = 0; k < a.size(); ++k) point[k] = std::lerp(a[k], b[k], t);
    return point;
  }
  const double norm = std::lerp(norm_a, norm_b, t);
  const double of_a = norm / norm_a * std::sin((1 - t) * angle) / std::sin(angle),
               of_b = norm / norm_b * std::sin(t * angle) / std::sin(angle);
  for (std::size_t k = 0; k < a.size(); ++k) point[k] = of_a * a[k] + of_b * b[k];
  return point;
}

}  // namespace diffusion
