#include "diffusion/row_basis.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace diffusion {

namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

// Turns two rows so that they are orthogonal; whether they were not.
bool orthogonalize(std::span<double> p, std::span<double> q) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const double pp = dot(p, p), qq = dot(q, q), pq = dot(p, q);
  if (std::abs(pq) <= kEpsilon * std::sqrt(pp * qq) || pq == 0) return false;
  const double zeta = (qq - pp) / (2 * pq);
  const double t = std::copysign(1, zeta) / (std::abs(zeta) + std::hypot(1, zeta));
  const double c = 1 / std::hypot(1, t), s = c * t;
  for (std::size_t k = 0; k < p.size(); ++k) {
    const double a = p[k];
    p[k] = c * a - s * q[k];
    q[k] = s * a + c * q[k];
  }
  return true;
}

// Adds unit vectors, made orthogonal to what is there, until there are `columns`.
void complete(std::vector<double>& vectors, std::size_t columns) {
  constexpr double kFarEnough = 0.1;
  for (std::size_t unit = 0; vectors.size() < columns * columns; unit = (unit + 1) % columns) {
    std::vector<double> candidate(columns);
    candidate[unit] = 1;
    for (int twice = 0; twice < 2; ++twice)
      for (std::size_t first = 0; first < vectors.size(); first += columns) {
        const auto known = std::span(vectors).subspan(first, columns);
        const double share = dot(candidate, known);
        for (std::size_t k = 0; k < columns; ++k) candidate[k] -= share * known[k];
      }
    const double norm = std::sqrt(dot(candidate, candidate));
    const std::size_t missing = columns - vectors.size() / columns;
    // Of the unit vectors that are left, one at least is as far off as this.
    if (norm < kFarEnough * std::sqrt(double(missing) / double(columns))) continue;
    for (const double value : candidate) vectors.push_back(value / norm);
  }
}

}  // namespace

RowBasis row_basis(int rows, int columns, std::vector<double> values, double relative) {
  constexpr int kMostSweeps = 60;
  const auto m = std::size_t(rows), n = std::size_t(columns);
  const auto row = [&](std::size_t i) { return std::span(values).subspan(i * n, n); };
  bool changed = true;
  for (int sweep = 0; changed && sweep < kMostSweeps; ++sweep) {
    changed = false;
    for (std::size_t i = 0; i + 1 < m; ++i)
      for (std::size_t j = i + 1; j < m; ++j) changed |= orthogonalize(row(i), row(j));
  }
  double largest = 0;
  std::vector<double> norms;
  for (std::size_t i = 0; i < m; ++i) {
    norms.push_back(std::sqrt(dot(row(i), row(i))));
    largest = std::max(largest, norms.back());
  }
  RowBasis basis;
  for (std::size_t i = 0; i < m && basis.singular.size() < n; ++i) {
    if (!(norms[i] > relative * largest)) continue;
    for (const double value : row(i)) basis.vectors.push_back(value / norms[i]);
    basis.singular.push_back(norms[i]);
  }
  complete(basis.vectors, n);
  basis.singular.resize(n);
  return basis;
}

}  // namespace diffusion
