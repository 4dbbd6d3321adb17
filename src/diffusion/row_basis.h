#pragma once

#include <vector>

namespace diffusion {

// The right singular vectors of a matrix [rows, columns], completed to a basis of all columns.
struct RowBasis {
  std::vector<double> vectors;   // [columns, columns], a vector in each row, orthonormal
  std::vector<double> singular;  // [columns], of each; 0 for those that complete the basis
};

// One-sided Jacobi rotations of the rows (Hestenes 1958), which keep small singular values exact. O(rows^2
// columns) each of about ten sweeps. Values below `relative` times the largest count as 0.
RowBasis row_basis(int rows, int columns, std::vector<double> values, double relative);

}  // namespace diffusion
