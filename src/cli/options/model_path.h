#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace diffusion {

// Adds MODEL, what find_pipeline() accepts; not required.
CLI::Option* add_model_option(CLI::App& app, std::string& model);

// The pipeline directory that a person means by `model`: that directory itself, the newest checkpoint of a
// training run (a line on stderr if RUN/latest leads to another), or, where there is no such file, the model
// of that name that comes with the program. Error(bad_input) naming what was looked for if it is none of
// these.
std::filesystem::path find_pipeline(const std::filesystem::path& model);

// Where a model or feature network is that comes with the program: a directory `name` in DIFFUSION_MODELS_DIR
// if that is set, else beside the program as installed (../share/diffusion/models) or built (../../models).
// None if it is not there.
std::optional<std::filesystem::path> find_shipped(std::string_view name);

}  // namespace diffusion
