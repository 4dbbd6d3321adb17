#pragma once

#include <string_view>

namespace diffusion {

// The project's version, from CMakeLists.txt: "0.1.0".
std::string_view version();

}  // namespace diffusion
