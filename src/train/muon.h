#pragma once

#include "device/update.h"
#include "plan/param_store.h"

namespace diffusion {

// Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): the momentum of a weight matrix,
// replaced by about the nearest matrix with orthonormal rows or columns, so that all directions move at one
// speed. momentum = 0.95 momentum + gradient; the step goes along the orthogonalized gradient + 0.95 momentum
// (Nesterov) and is scaled by 0.2 sqrt(max(rows, columns)) (Liu et al. 2025, arXiv 2502.16982), which makes
// its root mean square that of Adam's, and learning rate and weight decay mean the same for both.

// The parameters that Muon is for: trainable kernels of convolutions and weights of linear layers, as
// matrices of output channels times everything else, with at least 16 rows and columns. Not tables of
// embeddings, whose rows are seen one at a time.
bool is_muon_matrix(const ParamLayout::Entry& entry);

// Where such a parameter lies.
UpdateSpec::Matrix muon_matrix(const ParamLayout::Entry& entry);

}  // namespace diffusion
