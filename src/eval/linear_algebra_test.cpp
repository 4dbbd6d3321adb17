#include "eval/linear_algebra.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {
namespace {

// B^T B for a random B [rank, n].
SymmetricMatrix random_positive(int n, int rank) {
  std::vector<double> b(std::size_t(n) * std::size_t(rank));
  fill_normal({std::uint64_t(n), Stream::init, std::uint32_t(rank), 0}, b);
  SymmetricMatrix a(n);
  for (int r = 0; r < rank; ++r)
    for (int i = 0; i < n; ++i)
      for (int j = 0; j <= i; ++j) a.at(i, j) += b[std::size_t(r * n + i)] * b[std::size_t(r * n + j)];
  return a;
}

TEST(LinearAlgebra, EigenvaluesOfTheSecondDifference) {
  const int n = 200;  // 2 - 2 cos(k pi / (n + 1))
  SymmetricMatrix a(n);
  for (int i = 0; i < n; ++i) {
    a.at(i, i) = 2;
    if (i > 0) a.at(i, i - 1) = -1;
  }
  const auto values = symmetric_eigenvalues(a);
  ASSERT_EQ(values.size(), 200u);
  for (int k = 1; k <= n; ++k)
    EXPECT_NEAR(values[std::size_t(k) - 1], 2 - 2 * std::cos(k * std::numbers::pi / (n + 1)), 1e-13);
}

TEST(LinearAlgebra, EigenvaluesKeepTraceAndSquares) {
  for (const int n : {1, 2, 3, 7, 64, 129}) {
    const SymmetricMatrix a = random_positive(n, n);
    double trace = 0, squares = 0, sum = 0, sum_of_squares = 0;
    for (int i = 0; i < n; ++i) {
      trace += a.at(i, i);
      for (int j = 0; j < n; ++j) squares += std::pow(i >= j ? a.at(i, j) : a.at(j, i), 2);
    }
    for (const double v : symmetric_eigenvalues(a)) {
      EXPECT_GT(v, -1e-12 * trace);
      sum += v;
      sum_of_squares += v * v;
    }
    EXPECT_NEAR(sum, trace, 1e-12 * trace);
    EXPECT_NEAR(sum_of_squares, squares, 1e-12 * squares);
  }
}

// Block structure, repeated values, zeros, and numbers whose squares overflow or vanish.
TEST(LinearAlgebra, EigenvaluesOfSpecialMatrices) {
  EXPECT_TRUE(symmetric_eigenvalues(SymmetricMatrix(0)).empty());
  EXPECT_EQ(symmetric_eigenvalues(SymmetricMatrix(3)), (std::vector<double>{0, 0, 0}));
  SymmetricMatrix ones(5);
  for (double& v : ones.values) v = 1;
  const auto values = symmetric_eigenvalues(ones);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(values[i], 0, 1e-14);
  EXPECT_NEAR(values[4], 5, 1e-14);
  for (const double scale : {1e200, 1e-200}) {
    SymmetricMatrix a(3);  // the path 1 - 2 - 3: -sqrt 2, 0, sqrt 2; and an off-diagonal corner
    a.at(1, 0) = a.at(2, 1) = scale;
    const auto path = symmetric_eigenvalues(a);
    EXPECT_NEAR(path[0] / scale, -std::numbers::sqrt2, 1e-14);
    EXPECT_NEAR(path[1] / scale, 0, 1e-14);
    EXPECT_NEAR(path[2] / scale, std::numbers::sqrt2, 1e-14);
  }
  SymmetricMatrix corner(3);
  corner.at(2, 0) = -4;
  EXPECT_NEAR(symmetric_eigenvalues(corner)[0], -4, 1e-14);
  corner.at(1, 0) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(symmetric_eigenvalues(corner), Error);
}

TEST(LinearAlgebra, OnlyTheLowerTriangleIsRead) {
  SymmetricMatrix a = random_positive(9, 9), b = a;
  for (int i = 0; i < 9; ++i)
    for (int j = i + 1; j < 9; ++j) b.at(i, j) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(symmetric_eigenvalues(a), symmetric_eigenvalues(b));
  EXPECT_EQ(positive_factor(a).rows, positive_factor(b).rows);
  EXPECT_EQ(congruence(positive_factor(a), a).values, congruence(positive_factor(b), b).values);
}

TEST(LinearAlgebra, FactorFindsTheRankAndReproducesTheMatrix) {
  for (const int rank : {0, 1, 5, 20, 33}) {
    const SymmetricMatrix a = random_positive(33, rank);
    const Factor l = positive_factor(a);
    EXPECT_EQ(l.rank, rank);
    for (int i = 0; i < 33; ++i)
      for (int j = 0; j <= i; ++j) {
        double sum = 0;
        for (int r = 0; r < l.rank; ++r)
          sum += l.rows[std::size_t(r * 33 + i)] * l.rows[std::size_t(r * 33 + j)];
        EXPECT_NEAR(sum, a.at(i, j), 1e-12 * (rank + 1));
      }
  }
}

TEST(LinearAlgebra, CongruenceWithTheIdentityHasTheSameEigenvalues) {
  const SymmetricMatrix a = random_positive(12, 7);
  SymmetricMatrix identity(12);
  for (int i = 0; i < 12; ++i) identity.at(i, i) = 1;
  const auto small = symmetric_eigenvalues(congruence(positive_factor(a), identity));  // L L^T
  const auto all = symmetric_eigenvalues(a);                                           // L^T L
  ASSERT_EQ(small.size(), 7u);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_NEAR(small[i], all[i + 5], 1e-12 * all.back());
}

}  // namespace
}  // namespace diffusion
