#include "device/cpu/orthogonalize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace diffusion::cpu {

namespace {

constexpr int kIterations = 5;
// a s + b s^3 + c s^5 maps (0, 1] into (0, 1.2] and has the steepest slope at 0 for that.
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;

// Columns are padded to whole vectors, with zeros.
struct Padded {
  std::size_t rows, columns;  // rows <= columns, both multiples of the vector
  Padded(const KernelTable& table, std::size_t a, std::size_t b) {
    const auto lanes = std::size_t(table.lanes);
    const auto up = [&](std::size_t n) { return (n + lanes - 1) / lanes * lanes; };
    rows = up(std::min(a, b));
    columns = up(std::max(a, b));
  }
  std::size_t wide() const { return rows * columns; }
  std::size_t square() const { return rows * rows; }
};

void multiply(const KernelTable& table, std::size_t m, std::size_t n, std::size_t k, const float* a,
              std::size_t row_stride, std::size_t column_stride, const float* b, float* c) {
  table.gemm(std::int64_t(m), std::int64_t(n), std::int64_t(k), a, std::int64_t(row_stride),
             std::int64_t(column_stride), b, std::int64_t(n), c, std::int64_t(n), false);
}

// c = a b of square matrices.
void multiply_square(const KernelTable& table, std::size_t n, const float* a, const float* b, float* c) {
  multiply(table, n, n, n, a, n, 1, b, c);
}

}  // namespace

std::size_t orthogonalize_workspace(const KernelTable& table, std::size_t rows, std::size_t columns) {
  const Padded p(table, rows, columns);
  return 2 * p.wide() + 6 * p.square();
}

// With G = X X^T a step is X <- P X, P = a I + b G + c G^2, and G becomes P G P. So only small squares are
// iterated: Q, the product of all P, and G, and X is multiplied by Q once. A 3x3 convolution's matrix is nine
// times as wide as high.
void orthogonalize(const KernelTable& table, std::span<float> matrix, std::size_t rows, std::size_t columns,
                   std::span<float> workspace) {
  const Padded p(table, rows, columns);
  float* x = workspace.data();  // [p.rows, p.columns]: the matrix or its transpose, whichever is wide
  float* xt = x + p.wide();     // its transpose, later the result
  float* gram = xt + p.wide();
  float* polynomial = gram + p.square();
  float* product = polynomial + p.square();
  float* next_product = product + p.square();
  float* scratch = next_product + p.square();
  float* next_gram = scratch + p.square();
  const bool wide = rows <= columns;
  const std::size_t row_stride = wide ? columns : 1, column_stride = wide ? 1 : columns;
  const std::size_t short_side = std::min(rows, columns), long_side = std::max(rows, columns);
  double squares = 0;
  for (const float v : matrix) squares += double(v) * double(v);
  if (!(squares > 0)) return;
  const auto scale = float(1 / std::sqrt(squares));  // no singular value above 1
  std::fill_n(x, 2 * p.wide(), 0.f);
  for (std::size_t r = 0; r < short_side; ++r)
    for (std::size_t c = 0; c < long_side; ++c)
      x[r * p.columns + c] = xt[c * p.rows + r] = matrix[r * row_stride + c * column_stride] * scale;
  multiply(table, p.rows, p.rows, p.columns, x, p.columns, 1, xt, gram);
  for (int i = 0; i < kIterations; ++i) {
    multiply_square(table, p.rows, gram, gram, polynomial);
    for (std::size_t k = 0; k < p.square(); ++k) polynomial[k] = kB * gram[k] + kC * polynomial[k];
    for (std::size_t r = 0; r < p.rows; ++r) polynomial[r * p.rows + r] += kA;
    if (i == 0) {
      std::copy_n(polynomial, p.square(), product);
    } else {
      multiply_square(table, p.rows, polynomial, product, next_product);
      std::swap(product, next_product);
    }
    if (i + 1 == kIterations) break;
    multiply_square(table, p.rows, polynomial, gram, scratch);
    multiply_square(table, p.rows, scratch, polynomial, next_gram);
    std::swap(gram, next_gram);
  }
  multiply(table, p.rows, p.columns, p.rows, product, p.rows, 1, x, xt);
  for (std::size_t r = 0; r < short_side; ++r)
    for (std::size_t c = 0; c < long_side; ++c)
      matrix[r * row_stride + c * column_stride] = xt[r * p.columns + c];
}

}  // namespace diffusion::cpu
