#pragma once

#include <filesystem>

#include "formats/npy.h"

namespace diffusion {

// Numbers in single or double precision. Errors as read_npy_float32().
NpyArray<double> read_npy_numbers(const std::filesystem::path& path);

}  // namespace diffusion
