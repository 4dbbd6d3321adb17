#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace diffusion {

// The place of `name` in `accepted`, or Error(usage): 'Unknown <what> "<name>"; accepted are: ...'.
std::size_t index_of_name(std::string_view what, std::string_view name,
                          std::span<const std::string_view> accepted);

}  // namespace diffusion
