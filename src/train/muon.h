#pragma once

#include <cstddef>
#include <span>

#include "plan/param_store.h"

namespace diffusion {

// Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): the momentum of a weight matrix,
// replaced by about the nearest matrix with orthonormal rows or columns, so that all directions move at one
// speed. Steps are scaled by 0.2 sqrt(max(rows, columns)) (Liu et al. 2025, arXiv 2502.16982), which makes
// their root mean square that of Adam's, and learning rate and weight decay mean the same for both.
struct MuonOptions {
  double momentum = 0.95;
  double weight_decay = 0;
};

// Writes an approximation of U V^T into `matrix` [rows, columns] = U S V^T (row major, contiguous): five
// steps of a Newton-Schulz iteration of degree five, after which singular values from about 0.001 to 1 times
// the largest are between 0.68 and 1.14 (smaller ones stay smaller). A matrix of zeros stays. `workspace`:
// orthogonalize_workspace() floats.
void orthogonalize(std::span<float> matrix, std::size_t rows, std::size_t columns,
                   std::span<float> workspace);
std::size_t orthogonalize_workspace(std::size_t rows, std::size_t columns);

// The parameters that Muon is for: trainable kernels of convolutions and weights of linear layers, as
// matrices of output channels times everything else, with at least 16 rows and columns. Not tables of
// embeddings, whose rows are seen one at a time.
bool is_muon_matrix(const ParamLayout::Entry& entry);

// For all is_muon_matrix() entries: momentum = options.momentum momentum + gradient_scale gradient; a step
// along the orthogonalized gradient_scale gradient + options.momentum momentum (Nesterov); ema = ema_decay
// ema + (1 - ema_decay) value. `momentum` and `ema` are blocks like params.values().
void muon_update(ParamStore& params, std::span<float> momentum, std::span<float> ema, double learning_rate,
                 double gradient_scale, double ema_decay, const MuonOptions& options);

}  // namespace diffusion
