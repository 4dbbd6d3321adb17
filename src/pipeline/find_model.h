#pragma once

#include <filesystem>

#include <diffusion/models.h>

namespace diffusion {

// Whether `directory` is of a pipeline, by the names of what is in it.
bool is_pipeline(const std::filesystem::path& directory);

}  // namespace diffusion
