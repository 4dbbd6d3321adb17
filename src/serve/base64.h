#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion::serve {

// RFC 4648, section 4, with padding.
std::string to_base64(std::span<const std::byte> bytes);

// The bytes of such a text; none if it is anything else, white space and missing padding included.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace diffusion::serve
