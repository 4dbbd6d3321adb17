#include "train/muon.h"

#include <algorithm>
#include <cstddef>

namespace diffusion {

bool is_muon_matrix(const ParamLayout::Entry& entry) {
  constexpr std::size_t kLeastSide = 16;
  if (!entry.trainable || entry.dims.size() < 2 || entry.init.kind == Init::Kind::normal) return false;
  const UpdateSpec::Matrix matrix = muon_matrix(entry);
  return std::min(matrix.rows, matrix.columns) >= kLeastSide;
}

UpdateSpec::Matrix muon_matrix(const ParamLayout::Entry& entry) {
  const auto rows = std::size_t(entry.dims.front());
  return {entry.offset, rows, entry.size / rows};
}

}  // namespace diffusion
