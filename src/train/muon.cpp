#include "train/muon.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "device/cpu/cpu_device.h"
#include "device/cpu/kernel_table.h"

namespace diffusion {

namespace {

constexpr std::size_t kLeastSide = 16;
constexpr int kIterations = 5;
// a s + b s^3 + c s^5 maps (0, 1] into (0, 1.2] and has the steepest slope at 0 for that.
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;

struct Sides {
  std::size_t rows, columns;
};

Sides sides_of(const ParamLayout::Entry& entry) {
  const auto rows = std::size_t(entry.dims.front());
  return {rows, entry.size / rows};
}

// Columns are padded to whole vectors, with zeros.
struct Padded {
  std::size_t rows, columns;  // rows <= columns, both multiples of the vector
  explicit Padded(std::size_t a, std::size_t b) {
    const auto lanes = std::size_t(cpu_kernel_table().lanes);
    const auto up = [&](std::size_t n) { return (n + lanes - 1) / lanes * lanes; };
    rows = up(std::min(a, b));
    columns = up(std::max(a, b));
  }
  std::size_t wide() const { return rows * columns; }
  std::size_t square() const { return rows * rows; }
};

void multiply(std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t row_stride,
              std::size_t column_stride, const float* b, float* c) {
  cpu_kernel_table().gemm(std::int64_t(m), std::int64_t(n), std::int64_t(k), a, std::int64_t(row_stride),
                          std::int64_t(column_stride), b, std::int64_t(n), c, std::int64_t(n), false);
}

// c = a b of square matrices.
void multiply_square(std::size_t n, const float* a, const float* b, float* c) {
  multiply(n, n, n, a, n, 1, b, c);
}

}  // namespace

std::size_t orthogonalize_workspace(std::size_t rows, std::size_t columns) {
  const Padded p(rows, columns);
  return 2 * p.wide() + 6 * p.square();
}

// With G = X X^T a step is X <- P X, P = a I + b G + c G^2, and G becomes P G P. So only small squares are
// iterated: Q, the product of all P, and G, and X is multiplied by Q once. A 3x3 convolution's matrix is nine
// times as wide as high.
void orthogonalize(std::span<float> matrix, std::size_t rows, std::size_t columns,
                   std::span<float> workspace) {
  const Padded p(rows, columns);
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
  multiply(p.rows, p.rows, p.columns, x, p.columns, 1, xt, gram);
  for (int i = 0; i < kIterations; ++i) {
    multiply_square(p.rows, gram, gram, polynomial);
    for (std::size_t k = 0; k < p.square(); ++k) polynomial[k] = kB * gram[k] + kC * polynomial[k];
    for (std::size_t r = 0; r < p.rows; ++r) polynomial[r * p.rows + r] += kA;
    if (i == 0) {
      std::copy_n(polynomial, p.square(), product);
    } else {
      multiply_square(p.rows, polynomial, product, next_product);
      std::swap(product, next_product);
    }
    if (i + 1 == kIterations) break;
    multiply_square(p.rows, polynomial, gram, scratch);
    multiply_square(p.rows, scratch, polynomial, next_gram);
    std::swap(gram, next_gram);
  }
  multiply(p.rows, p.columns, p.rows, product, p.rows, 1, x, xt);
  for (std::size_t r = 0; r < short_side; ++r)
    for (std::size_t c = 0; c < long_side; ++c)
      matrix[r * row_stride + c * column_stride] = xt[r * p.columns + c];
}

bool is_muon_matrix(const ParamLayout::Entry& entry) {
  if (!entry.trainable || entry.dims.size() < 2 || entry.init.kind == Init::Kind::normal) return false;
  const Sides sides = sides_of(entry);
  return std::min(sides.rows, sides.columns) >= kLeastSide;
}

void muon_update(ParamStore& params, std::span<float> momentum, std::span<float> ema, double learning_rate,
                 double gradient_scale, double ema_decay, const MuonOptions& options) {
  const std::span<float> values = params.values(), grads = params.grads();
  std::vector<const ParamLayout::Entry*> entries;
  std::size_t largest = 0, workspace_size = 0;
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    if (!is_muon_matrix(entry)) continue;
    const Sides sides = sides_of(entry);
    entries.push_back(&entry);
    largest = std::max(largest, entry.size);
    workspace_size = std::max(workspace_size, orthogonalize_workspace(sides.rows, sides.columns));
  }
  std::ranges::stable_sort(entries, std::ranges::greater{},
                           &ParamLayout::Entry::size);  // the longest work first
  const auto beta = float(options.momentum), scale = float(gradient_scale);
  const auto keep = float(1 - learning_rate * options.weight_decay);
  const auto ema_keep = float(ema_decay), ema_take = float(1 - ema_decay);
#pragma omp parallel num_threads(thread_count())
  {
    std::vector<float> step(largest), workspace(workspace_size);
#pragma omp for schedule(dynamic)
    for (std::size_t number = 0; number < entries.size(); ++number) {
      const ParamLayout::Entry& entry = *entries[number];
      const Sides sides = sides_of(entry);
      const std::span<float> own = std::span(step).first(entry.size);
      for (std::size_t k = 0; k < entry.size; ++k) {
        const float gradient = grads[entry.offset + k] * scale;
        float& m = momentum[entry.offset + k];
        m = beta * m + gradient;
        own[k] = gradient + beta * m;
      }
      orthogonalize(own, sides.rows, sides.columns, workspace);
      const auto rate = float(learning_rate * 0.2 * std::sqrt(double(std::max(sides.rows, sides.columns))));
      for (std::size_t k = 0; k < entry.size; ++k) {
        const std::size_t i = entry.offset + k;
        values[i] = values[i] * keep - rate * own[k];
        ema[i] = ema_keep * ema[i] + ema_take * values[i];
      }
    }
  }
  params.mark_changed();
}

}  // namespace diffusion
