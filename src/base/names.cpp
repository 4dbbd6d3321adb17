#include "base/names.h"

#include <fmt/format.h>

#include <algorithm>

#include <diffusion/error.h>

namespace diffusion {

std::size_t index_of_name(std::string_view what, std::string_view name,
                          std::span<const std::string_view> accepted) {
  const auto found = std::find(accepted.begin(), accepted.end(), name);
  if (found == accepted.end())
    throw Error(ErrorKind::usage, fmt::format("Unknown {} \"{}\"; accepted are: {}.", what, name,
                                              fmt::join(accepted.begin(), accepted.end(), ", ")));
  return std::size_t(found - accepted.begin());
}

}  // namespace diffusion
