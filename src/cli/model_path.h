#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace diffusion {

// The pipeline directory that a person means by `model`: that directory itself, or RUN/latest of a training run.
// Error(bad_input) naming what was looked for if it is neither.
std::filesystem::path find_pipeline(const std::filesystem::path& model);

// Where a model or feature network is that comes with the program: a directory `name` in DIFFUSION_MODELS_DIR if that is set, else
// beside the program as installed (../share/diffusion/models) or built (../../models). None if it is not there.
std::optional<std::filesystem::path> find_shipped(std::string_view name);

}  // namespace diffusion
