#include "train/param_shares.h"

#include <algorithm>

namespace diffusion {

std::vector<ParamRange> units_of(const ParamLayout& layout, std::size_t least) {
  std::vector<ParamRange> units{{0, 0}};
  for (const ParamLayout::Entry& entry : layout.entries())
    if (entry.offset - units.back().begin >= least) {
      units.back().end = entry.offset;
      units.push_back({entry.offset, 0});
    }
  units.back().end = layout.block_size();
  return units;
}

std::vector<ParamRange> shares_of(const std::vector<ParamRange>& units, int processes) {
  const std::size_t size = units.back().end;
  std::vector<ParamRange> shares;
  std::size_t begin = 0;
  for (std::size_t p = 1; p <= std::size_t(processes); ++p) {
    // The end of a unit that is nearest to the p-th part of the block.
    const std::size_t wanted = p * size / std::size_t(processes);
    const auto distance = [&](const ParamRange& unit) {
      return unit.end > wanted ? unit.end - wanted : wanted - unit.end;
    };
    std::size_t end = std::ranges::min(units, {}, distance).end;
    if (p == std::size_t(processes)) end = size;
    end = std::max(end, begin);
    shares.push_back({begin, end});
    begin = end;
  }
  return shares;
}

Tensor part_of(const Tensor& block, const ParamRange& range) {
  return flat_block(static_cast<float*>(block.data) + range.begin, range.size());
}

}  // namespace diffusion
