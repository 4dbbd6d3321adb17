#include "eval/linear_algebra.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <diffusion/device.h>
#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// Eight running sums, so that the compiler may use vector registers without reordering anything.
double dot(const double* a, const double* b, int n) {
  std::array<double, 8> sums{};
  int i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; ++lane) sums[std::size_t(lane)] += a[i + lane] * b[i + lane];
  double sum = 0;
  for (const double s : sums) sum += s;
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_multiple(double factor, const double* x, double* y, int n) {
  for (int i = 0; i < n; ++i) y[i] += factor * x[i];
}

struct Tridiagonal {
  std::vector<double> diagonal, off;  // n and n - 1
};

// From the last row up: the reflection H = I - tau v v^T with v in the first i places makes row i zero left
// of off[i - 1], and the leading i x i block becomes H A H = A - v w^T - w v^T.
Tridiagonal tridiagonalize(SymmetricMatrix a) {
  const int n = a.n;
  Tridiagonal t{std::vector<double>(std::size_t(n)), std::vector<double>(std::size_t(std::max(n - 1, 0)))};
  std::vector<double> w(static_cast<std::size_t>(n));
  for (int i = n - 1; i > 0; --i) {
    double* v = &a.at(i, 0);
    const double head = v[i - 1];
    double largest = 0;
    for (int j = 0; j < i; ++j) largest = std::max(largest, std::abs(v[j]));
    t.diagonal[std::size_t(i)] = a.at(i, i);
    if (largest == std::abs(head) && std::all_of(v, v + i - 1, [](double x) { return x == 0; })) {
      t.off[std::size_t(i) - 1] = head;
      continue;
    }
    for (int j = 0; j < i; ++j) v[j] /= largest;  // neither overflow nor underflow in the squares
    const double norm = std::sqrt(dot(v, v, i));
    const double target = v[i - 1] > 0 ? -norm : norm;
    t.off[std::size_t(i) - 1] = target * largest;
    v[i - 1] -= target;
    const double tau = 2 / dot(v, v, i);

    std::fill_n(w.begin(), i, 0.0);  // w = tau A v
    for (int j = 0; j < i; ++j) {
      const double* row = &a.at(j, 0);
      add_multiple(tau * v[j], row, w.data(), j);
      w[std::size_t(j)] += tau * dot(row, v, j + 1);
    }
    add_multiple(-0.5 * tau * dot(w.data(), v, i), v, w.data(), i);
    for (int j = 0; j < i; ++j) {
      double* row = &a.at(j, 0);
      const double vj = v[j], wj = w[std::size_t(j)];
      for (int k = 0; k <= j; ++k) row[k] -= vj * w[std::size_t(k)] + wj * v[k];
    }
  }
  if (n > 0) t.diagonal[0] = a.at(0, 0);
  return t;
}

// One implicit QR step on rows first..last (Golub & Van Loan, algorithm 8.3.2).
void qr_step(Tridiagonal& t, std::size_t first, std::size_t last) {
  auto& d = t.diagonal;
  auto& e = t.off;
  const double half = (d[last - 1] - d[last]) / 2, corner = e[last - 1];
  const double shift = d[last] - corner * (corner / (half + std::copysign(std::hypot(half, corner), half)));
  double x = d[first] - shift, bulge = e[first];
  for (std::size_t k = first; k < last; ++k) {
    const double r = std::hypot(x, bulge);
    const double c = r == 0 ? 1 : x / r, s = r == 0 ? 0 : bulge / r;
    if (k > first) e[k - 1] = r;
    const double upper = d[k], middle = e[k], lower = d[k + 1];
    d[k] = c * c * upper + 2 * c * s * middle + s * s * lower;
    d[k + 1] = s * s * upper - 2 * c * s * middle + c * c * lower;
    e[k] = c * s * (lower - upper) + (c * c - s * s) * middle;
    if (k + 1 == last) break;
    x = e[k];
    bulge = s * e[k + 1];
    e[k + 1] *= c;
  }
}

}  // namespace

std::vector<double> symmetric_eigenvalues(SymmetricMatrix a) {
  for (int i = 0; i < a.n; ++i)
    for (int j = 0; j <= i; ++j)
      if (!std::isfinite(a.at(i, j)))
        throw Error(ErrorKind::non_finite, "the eigenvalues of a matrix with NaN or infinity were asked for");
  if (a.n == 0) return {};
  Tridiagonal t = tridiagonalize(std::move(a));
  double largest = 0;
  for (const double d : t.diagonal) largest = std::max(largest, std::abs(d));
  for (const double e : t.off) largest = std::max(largest, std::abs(e));
  const double negligible = kEpsilon * largest;

  constexpr int kMostStepsPerValue = 60;  // two or three are usual
  const auto n = t.diagonal.size();
  std::size_t steps_left = kMostStepsPerValue * n;
  for (std::size_t last = n - 1; last > 0;) {
    if (std::abs(t.off[last - 1]) <= negligible) {
      --last;
      continue;
    }
    if (steps_left-- == 0)
      throw Error(ErrorKind::internal, "the eigenvalues of a symmetric matrix did not converge");
    std::size_t first = last - 1;
    while (first > 0 && std::abs(t.off[first - 1]) > negligible) --first;
    qr_step(t, first, last);
  }
  std::ranges::sort(t.diagonal);
  return std::move(t.diagonal);
}

Factor positive_factor(SymmetricMatrix a) {
  const int n = a.n;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < i; ++j) a.at(j, i) = a.at(i, j);
  Factor l{0, n, {}};
  std::vector<double> remaining(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) remaining[std::size_t(i)] = a.at(i, i);
  const double limit = n == 0 ? 0 : n * kEpsilon * std::max(0.0, *std::ranges::max_element(remaining));
  // Row r of L is row `pivot` of what the first r rows leave of A, divided by the root of its diagonal value.
  while (l.rank < n) {
    const auto pivot = int(std::ranges::max_element(remaining) - remaining.begin());
    if (!(remaining[std::size_t(pivot)] > limit)) break;
    std::vector<double> row(&a.at(pivot, 0), &a.at(pivot, 0) + n);
    for (int r = 0; r < l.rank; ++r) {
      const double* earlier = &l.rows[std::size_t(r) * std::size_t(n)];
      add_multiple(-earlier[pivot], earlier, row.data(), n);
    }
    const double root = std::sqrt(remaining[std::size_t(pivot)]);
    for (int j = 0; j < n; ++j) {
      // The places of earlier pivots are zero but for rounding.
      row[std::size_t(j)] = remaining[std::size_t(j)] < 0 ? 0 : row[std::size_t(j)] / root;
      if (remaining[std::size_t(j)] >= 0)
        remaining[std::size_t(j)] =
            std::max(0.0, remaining[std::size_t(j)] - row[std::size_t(j)] * row[std::size_t(j)]);
    }
    row[std::size_t(pivot)] = root;
    remaining[std::size_t(pivot)] = -1;  // used
    l.rows.insert(l.rows.end(), row.begin(), row.end());
    ++l.rank;
  }
  return l;
}

SymmetricMatrix congruence(const Factor& l, const SymmetricMatrix& s) {
  const int n = l.n;
  SymmetricMatrix full = s;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < i; ++j) full.at(j, i) = full.at(i, j);
  SymmetricMatrix result(l.rank);
  const auto row_of_l = [&](int i) { return &l.rows[std::size_t(i) * std::size_t(n)]; };
  constexpr int kRows = 8;  // that share what is read of S and of L
#pragma omp parallel for schedule(dynamic) num_threads(thread_count()) if (n >= 64)
  for (int first = 0; first < l.rank; first += kRows) {
    const int end = std::min(first + kRows, l.rank);
    std::vector<std::vector<double>> products(std::size_t(end - first),
                                              std::vector<double>(std::size_t(n)));  // of L S
    for (int k = 0; k < n; ++k)
      for (int i = first; i < end; ++i)
        add_multiple(row_of_l(i)[k], &full.at(k, 0), products[std::size_t(i - first)].data(), n);
    for (int j = 0; j < end; ++j)
      for (int i = std::max(first, j); i < end; ++i)
        result.at(i, j) = dot(products[std::size_t(i - first)].data(), row_of_l(j), n);
  }
  return result;
}

}  // namespace diffusion
