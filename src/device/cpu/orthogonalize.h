#pragma once

#include <cstddef>
#include <span>

#include "device/cpu/kernels/table.h"

namespace diffusion::cpu {

// Writes an approximation of U V^T into `matrix` [rows, columns] = U S V^T (row major, contiguous): five
// steps of a Newton-Schulz iteration of degree five, after which singular values from about 0.001 to 1 times
// the largest are between 0.68 and 1.14 (smaller ones stay smaller). A matrix of zeros stays. `workspace`:
// orthogonalize_workspace() floats. One thread.
void orthogonalize(const KernelTable& table, std::span<float> matrix, std::size_t rows, std::size_t columns,
                   std::span<float> workspace);
std::size_t orthogonalize_workspace(const KernelTable& table, std::size_t rows, std::size_t columns);

}  // namespace diffusion::cpu
