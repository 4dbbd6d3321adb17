#pragma once

#include <filesystem>

namespace diffusion {

// The pipeline directory that a person means by `model`: that directory itself, or RUN/latest of a training run.
// Error(bad_input) naming what was looked for if it is neither.
std::filesystem::path find_pipeline(const std::filesystem::path& model);

}  // namespace diffusion
