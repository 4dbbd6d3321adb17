#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/restore.h>
#include "diffusion/row_basis.h"

namespace diffusion {

namespace {

using Matrix = LinearOperator::Matrix;

constexpr double kSmallest = 1e-3;  // of singular values, relative to the largest

// matrix (or its transpose) along axis `axis` of numbers of that form, which changes.
std::vector<double> along(const Matrix& matrix, bool transposed, std::size_t axis, std::array<int, 3>& form,
                          std::vector<double> numbers) {
  if (matrix.values.empty()) return numbers;
  std::size_t outer = 1, inner = 1;
  for (std::size_t k = 0; k < axis; ++k) outer *= std::size_t(form[k]);
  for (std::size_t k = axis + 1; k < 3; ++k) inner *= std::size_t(form[k]);
  const auto rows = std::size_t(matrix.rows), columns = std::size_t(matrix.columns);
  const std::size_t from = transposed ? rows : columns, to = transposed ? columns : rows;
  std::vector<double> out(outer * to * inner);
  for (std::size_t o = 0; o < outer; ++o)
    for (std::size_t i = 0; i < to; ++i)
      for (std::size_t j = 0; j < from; ++j) {
        const double weight = transposed ? matrix.values[j * columns + i] : matrix.values[i * columns + j];
        if (weight == 0) continue;
        const double* source = &numbers[(o * from + j) * inner];
        double* target = &out[(o * to + i) * inner];
        for (std::size_t k = 0; k < inner; ++k) target[k] += weight * source[k];
      }
  form[axis] = int(to);
  return out;
}

void check_matrix(const Matrix& matrix, int size) {
  const bool fits = matrix.columns == size && matrix.rows >= 1 &&
                    matrix.values.size() == std::size_t(matrix.rows) * std::size_t(matrix.columns);
  if (!fits)
    throw Error(ErrorKind::usage,
                fmt::format("an operator is a matrix of {} x {} numbers; accepted are rows of {}",
                            matrix.rows, matrix.columns, size));
  if (!std::ranges::all_of(matrix.values, [](double value) { return std::isfinite(value); }))
    throw Error(ErrorKind::usage, "an operator has NaN or infinity; accepted are finite numbers");
}

std::size_t product(const std::array<int, 3>& form) {
  return std::size_t(form[0]) * std::size_t(form[1]) * std::size_t(form[2]);
}

}  // namespace

LinearOperator::LinearOperator(std::array<int, 3> from, std::array<Matrix, 3> axes, std::vector<bool> seen)
    : from_(from), to_(from), seen_(std::move(seen)) {
  if (std::ranges::any_of(from, [](int size) { return size < 1; }))
    throw Error(ErrorKind::usage, fmt::format("an operator is for images [{}, {}, {}]; accepted is 1 or more",
                                              from[0], from[1], from[2]));
  singular_.assign(product(from), 1);
  if (!seen_.empty() && std::ranges::any_of(axes, [](const Matrix& a) { return !a.values.empty(); }))
    throw Error(ErrorKind::usage, "an operator leaves out numbers and has matrices; accepted is one of both");
  if (!seen_.empty() && seen_.size() != product(from))
    throw Error(ErrorKind::usage,
                fmt::format("a mask has {} numbers; accepted are {}", seen_.size(), product(from)));
  std::size_t inner = singular_.size();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto size = std::size_t(from[axis]);
    inner /= size;
    Matrix& a = axes[axis];
    if (a.values.empty()) continue;
    check_matrix(a, from[axis]);
    constexpr double kIndependent = 1e-9;
    RowBasis basis = row_basis(a.rows, a.columns, a.values, kIndependent);
    const auto rank = std::ranges::count_if(basis.singular, [](double s) { return s > 0; });
    if (rank < a.rows)
      throw Error(
          ErrorKind::usage,
          fmt::format("an operator is singular: {} of its {} rows are independent; accepted are rows none of "
                      "which follows from the others",
                      rank, a.rows));
    for (std::size_t k = 0; k < singular_.size(); ++k) singular_[k] *= basis.singular[k / inner % size];
    to_[axis] = a.rows;
    axes_[axis] = {std::move(a), {int(size), int(size), std::move(basis.vectors)}};
  }
  for (std::size_t k = 0; k < seen_.size(); ++k)
    if (!seen_[k]) singular_[k] = 0;
  const double largest = std::ranges::max(singular_);
  if (largest == 0) throw Error(ErrorKind::usage, "an operator measures nothing");
  for (double& s : singular_)
    if (s < kSmallest * largest) s = 0;
}

std::size_t LinearOperator::output_size() const {
  return product(to_);
}

void LinearOperator::apply(std::span<const double> x, std::span<double> y) const {
  std::vector<double> numbers(x.begin(), x.end());
  std::array<int, 3> form = from_;
  for (std::size_t axis = 0; axis < 3; ++axis)
    numbers = along(axes_[axis].a, false, axis, form, std::move(numbers));
  for (std::size_t k = 0; k < seen_.size(); ++k)
    if (!seen_[k]) numbers[k] = 0;
  std::ranges::copy(numbers, y.begin());
}

void LinearOperator::transpose(std::span<const double> y, std::span<double> x) const {
  std::vector<double> numbers(y.begin(), y.end());
  for (std::size_t k = 0; k < seen_.size(); ++k)
    if (!seen_[k]) numbers[k] = 0;
  std::array<int, 3> form = to_;
  for (std::size_t axis = 0; axis < 3; ++axis)
    numbers = along(axes_[axis].a, true, axis, form, std::move(numbers));
  std::ranges::copy(numbers, x.begin());
}

// V S^-2 V^T A^T y.
void LinearOperator::pseudo_inverse(std::span<const double> y, std::span<double> x) const {
  transpose(y, x);
  std::vector<double> c(x.size());
  to_basis(x, c);
  for (std::size_t k = 0; k < c.size(); ++k) c[k] = singular_[k] > 0 ? c[k] / singular_[k] / singular_[k] : 0;
  from_basis(c, x);
}

void LinearOperator::to_basis(std::span<const double> x, std::span<double> c) const {
  std::vector<double> numbers(x.begin(), x.end());
  std::array<int, 3> form = from_;
  for (std::size_t axis = 0; axis < 3; ++axis)
    numbers = along(axes_[axis].v, false, axis, form, std::move(numbers));
  std::ranges::copy(numbers, c.begin());
}

void LinearOperator::from_basis(std::span<const double> c, std::span<double> x) const {
  std::vector<double> numbers(c.begin(), c.end());
  std::array<int, 3> form = from_;
  for (std::size_t axis = 0; axis < 3; ++axis)
    numbers = along(axes_[axis].v, true, axis, form, std::move(numbers));
  std::ranges::copy(numbers, x.begin());
}

LinearOperator identity_operator(std::array<int, 3> form) {
  return {form, {}};
}

LinearOperator mask_operator(std::array<int, 3> form, std::vector<bool> seen) {
  return {form, {}, std::move(seen)};
}

LinearOperator shrink_operator(std::array<int, 3> form, int factor) {
  std::array<Matrix, 3> axes;
  for (const std::size_t axis : {1, 2}) {
    const int size = form[axis];
    if (factor < 1 || size % factor != 0)
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "images of {} x {} pixels cannot be shrunk {} times; accepted are divisors of both sides",
              form[2], form[1], factor));
    Matrix means{size / factor, size, std::vector<double>(std::size_t(size / factor) * std::size_t(size))};
    for (int k = 0; k < size; ++k)
      means.values[std::size_t(k / factor) * std::size_t(size) + std::size_t(k)] = 1.0 / factor;
    axes[axis] = std::move(means);
  }
  return {form, std::move(axes)};
}

LinearOperator blur_operator(std::array<int, 3> form, double std) {
  constexpr double kReach = 4;  // standard deviations
  std::array<Matrix, 3> axes;
  for (const std::size_t axis : {1, 2}) {
    const int size = form[axis], reach = int(std::ceil(kReach * std));
    Matrix blur{size, size, std::vector<double>(std::size_t(size) * std::size_t(size))};
    double sum = 0;
    for (int d = -reach; d <= reach; ++d) sum += std::exp(-d * d / (2 * std * std));
    for (int i = 0; i < size; ++i)
      for (int d = -reach; d <= reach; ++d) {
        int j = ((i + d) % (2 * size) + 2 * size) % (2 * size);  // edge pixels come twice: d c b a | a b c d
        if (j >= size) j = 2 * size - 1 - j;
        blur.values[std::size_t(i) * std::size_t(size) + std::size_t(j)] +=
            std::exp(-d * d / (2 * std * std)) / sum;
      }
    axes[axis] = std::move(blur);
  }
  return {form, std::move(axes)};
}

LinearOperator gray_operator(std::array<int, 3> form) {
  if (form[0] != 3)
    throw Error(ErrorKind::usage,
                fmt::format("images of {} channels have no colors to be restored; accepted are 3", form[0]));
  return {form, {Matrix{1, 3, {0.299, 0.587, 0.114}}, Matrix{}, Matrix{}}};
}

LinearOperator dense_operator(std::array<int, 3> form, LinearOperator::Matrix matrix) {
  const int size = int(product(form));
  return {{1, 1, size}, {Matrix{}, Matrix{}, std::move(matrix)}};
}

}  // namespace diffusion
