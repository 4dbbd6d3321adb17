#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace diffusion {

// Whether `directory` is of a pipeline, by the names of what is in it.
bool is_pipeline(const std::filesystem::path& directory);

// The pipeline directory that a person means by `model`: that directory itself, RUN/latest of a training run,
// or, where there is no such file, the model of that name that comes with the program. Error(bad_input)
// naming what was looked for if it is none of these. train/newest_pipeline.h also mends a run whose link is
// old.
std::filesystem::path find_pipeline(const std::filesystem::path& model);

// Where a model or feature network is that comes with the program: a directory `name` in DIFFUSION_MODELS_DIR
// if that is set, else beside the program as installed (../share/diffusion/models) or built (../../models).
// None if it is not there.
std::optional<std::filesystem::path> find_shipped(std::string_view name);

}  // namespace diffusion
