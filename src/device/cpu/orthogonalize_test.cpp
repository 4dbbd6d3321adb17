#include "device/cpu/orthogonalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "device/cpu/kernel_table.h"
#include "eval/linear_algebra.h"

namespace diffusion::cpu {
namespace {

std::vector<float> random_matrix(std::size_t size, std::uint32_t sample) {
  std::vector<float> values(size);
  fill_normal({1, Stream::init, sample, 0}, values);
  return values;
}

// Singular values, ascending.
std::vector<double> singular_values(const std::vector<float>& matrix, std::size_t rows, std::size_t columns) {
  const bool wide = rows <= columns;
  const std::size_t n = wide ? rows : columns, k = wide ? columns : rows;
  SymmetricMatrix gram(static_cast<int>(n));
  const auto at = [&](std::size_t i, std::size_t j) {
    return double(wide ? matrix[i * columns + j] : matrix[j * columns + i]);
  };
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t l = 0; l < k; ++l) sum += at(i, l) * at(j, l);
      gram.at(int(i), int(j)) = sum;
    }
  std::vector<double> values = symmetric_eigenvalues(gram);
  for (double& v : values) v = std::sqrt(std::max(v, 0.0));
  return values;
}

void orthogonalize(std::vector<float>& matrix, std::size_t rows, std::size_t columns) {
  const KernelTable& table = cpu_kernel_table();
  std::vector<float> workspace(orthogonalize_workspace(table, rows, columns));
  cpu::orthogonalize(table, matrix, rows, columns, workspace);
}

// X <- a X + b X X^T X + c (X X^T)^2 X as it is written (Jordan et al. 2024), in f64.
std::vector<double> plain_iteration(const std::vector<float>& matrix, std::size_t rows, std::size_t columns) {
  std::vector<double> x(matrix.begin(), matrix.end());
  double squares = 0;
  for (const double v : x) squares += v * v;
  for (double& v : x) v /= std::sqrt(squares);
  for (int step = 0; step < 5; ++step) {
    std::vector<double> gram(rows * rows), once(x.size()), twice(x.size());
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < rows; ++j)
        for (std::size_t k = 0; k < columns; ++k)
          gram[i * rows + j] += x[i * columns + k] * x[j * columns + k];
    const auto apply = [&](const std::vector<double>& from, std::vector<double>& to) {
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < rows; ++j)
          for (std::size_t k = 0; k < columns; ++k)
            to[i * columns + k] += gram[i * rows + j] * from[j * columns + k];
    };
    apply(x, once);
    apply(once, twice);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 3.4445 * x[i] - 4.7750 * once[i] + 2.0315 * twice[i];
  }
  return x;
}

class Orthogonalize : public testing::TestWithParam<std::pair<std::size_t, std::size_t>> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Orthogonalize,
                         testing::Values(std::pair<std::size_t, std::size_t>{16, 16},
                                         std::pair<std::size_t, std::size_t>{17, 90},
                                         std::pair<std::size_t, std::size_t>{90, 17},
                                         std::pair<std::size_t, std::size_t>{64, 288}));

TEST_P(Orthogonalize, SingularValuesBecomeAboutOne) {
  const auto [rows, columns] = GetParam();
  std::vector<float> matrix = random_matrix(rows * columns, 0);
  orthogonalize(matrix, rows, columns);
  const std::vector<double> values = singular_values(matrix, rows, columns);
  // A random square matrix has singular values that are too small for five steps.
  const std::size_t first = rows == columns ? rows / 4 : 0;
  EXPECT_GT(values[first], 0.65);
  EXPECT_LT(values.back(), 1.25);
}

// Rounding to f32 leaves 1e-7 in squares of singular values, which grow by up to 3.4445^2 a step: 0.02 after
// four, in the directions of the smallest singular values alone, which are the more the closer the matrix is
// to a square.
TEST_P(Orthogonalize, IsTheIterationAsWritten) {
  const auto [rows, columns] = GetParam();
  std::vector<float> matrix = random_matrix(rows * columns, 5);
  const std::vector<double> expected = plain_iteration(matrix, rows, columns);
  orthogonalize(matrix, rows, columns);
  double worst = 0;
  for (std::size_t i = 0; i < matrix.size(); ++i)
    worst = std::max(worst, std::abs(double(matrix[i]) - expected[i]));
  EXPECT_LT(worst, rows == columns ? 1e-3 : 1e-5);
}

// The directions stay: U V^T of U S V^T has with it the inner product sum(S), the largest that a matrix with
// these singular values can have.
TEST_P(Orthogonalize, KeepsDirections) {
  const auto [rows, columns] = GetParam();
  const std::vector<float> before = random_matrix(rows * columns, 1);
  std::vector<float> after = before;
  orthogonalize(after, rows, columns);
  double inner = 0, sum = 0;
  for (std::size_t i = 0; i < before.size(); ++i) inner += double(before[i]) * double(after[i]);
  const std::vector<double> s = singular_values(before, rows, columns),
                            t = singular_values(after, rows, columns);
  // The iteration is not monotonous, so the order of the new values is not that of the old; they are all
  // about 1.
  for (const double value : s) sum += value;
  EXPECT_GT(inner, 0.68 * sum);
  EXPECT_LT(inner, 1.2 * sum);
}

TEST(OrthogonalizeEdge, DoesNotDependOnScaleAndLeavesZerosAlone) {
  std::vector<float> matrix = random_matrix(20 * 40, 2), larger = matrix, zeros(20 * 40);
  for (float& v : larger) v *= 1024;
  orthogonalize(matrix, 20, 40);
  orthogonalize(larger, 20, 40);
  for (std::size_t i = 0; i < matrix.size(); ++i) EXPECT_NEAR(matrix[i], larger[i], 1e-5);
  orthogonalize(zeros, 20, 40);
  for (const float v : zeros) EXPECT_EQ(v, 0);
}

}  // namespace
}  // namespace diffusion::cpu
