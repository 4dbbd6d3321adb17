#include "diffusion/process_facts.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstddef>

#include <diffusion/error.h>

namespace diffusion {

std::string_view to_string(Objective objective) {
  constexpr std::array<std::string_view, 5> kNames{"epsilon", "v", "x0", "edm", "flow"};
  return kNames.at(std::size_t(objective));
}

void require(bool accepted, std::string_view name, double value, std::string_view range) {
  if (!accepted) throw Error(ErrorKind::usage, fmt::format("{} is {}; it must be {}.", name, value, range));
}

void require_positive(std::string_view name, double value) {
  require(value > 0 && std::isfinite(value), name, value, "positive and finite");
}

}  // namespace diffusion
