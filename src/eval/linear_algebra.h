#pragma once

// The little of dense linear algebra that comparing Gaussians needs, in double. Eigenvectors are not among it
// (see frechet.h), which is why this is here and not LAPACK: two textbook algorithms, the same bits whatever
// BLAS is installed.

#include <cstddef>
#include <vector>

namespace diffusion {

// Symmetric, [n, n], row after row. Only the lower triangle, j <= i, is read.
struct SymmetricMatrix {
  int n = 0;
  std::vector<double> values;

  explicit SymmetricMatrix(int size) : n(size), values(std::size_t(size) * std::size_t(size)) {}
  double& at(int i, int j) { return values[std::size_t(i) * std::size_t(n) + std::size_t(j)]; }
  double at(int i, int j) const { return values[std::size_t(i) * std::size_t(n) + std::size_t(j)]; }
};

// All eigenvalues in ascending order, each to within a few epsilon times the largest: Householder reduction
// to a tridiagonal matrix, then implicit QR steps with Wilkinson's shift (Golub & Van Loan, Matrix
// Computations, 8.3). O(n^3), some seconds for n = 2048. Error(non_finite) for values that are not finite.
std::vector<double> symmetric_eigenvalues(SymmetricMatrix a);

// A = L^T L for a positive semidefinite A: L is [rank, n], row after row.
struct Factor {
  int rank = 0, n = 0;
  std::vector<double> rows;
};

// Cholesky with diagonal pivoting, which ends when what remains is rounding error: no remaining diagonal
// value above n * epsilon * the largest. So rank is the numerical rank, and L^T L is A to about that error.
Factor positive_factor(SymmetricMatrix a);

// L S L^T.
SymmetricMatrix congruence(const Factor& l, const SymmetricMatrix& s);

}  // namespace diffusion
