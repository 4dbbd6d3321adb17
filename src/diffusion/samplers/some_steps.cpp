#include "diffusion/samplers/some_steps.h"

#include <algorithm>

namespace diffusion {

namespace {

void keep(std::vector<double>& of_steps, std::size_t first, std::size_t count) {
  const std::size_t begin = std::min(first, of_steps.size()), end = std::min(first + count, of_steps.size());
  of_steps = {of_steps.begin() + std::ptrdiff_t(begin), of_steps.begin() + std::ptrdiff_t(end)};
}

}  // namespace

Sampler for_some_steps(Sampler sampler, std::size_t first, std::size_t count) {
  if (auto* pndm = std::get_if<Pndm>(&sampler)) keep(pndm->middles, first, count);
  if (auto* euler = std::get_if<EulerAncestral>(&sampler)) keep(euler->downs, first, count);
  if (auto* consistency = std::get_if<Consistency>(&sampler)) keep(consistency->boundary, first, count);
  if (auto* ipndm = std::get_if<Ipndm>(&sampler); ipndm && first > 0) ipndm->starts_with_noise = false;
  return sampler;
}

}  // namespace diffusion
