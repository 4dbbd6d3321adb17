#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace diffusion {

// Adds MODEL, what chosen_pipeline() accepts; not required.
CLI::Option* add_model_option(CLI::App& app, std::string& model);

// The pipeline directory that a person means by `model`: find_newest_pipeline(), which talks to stderr.
std::filesystem::path chosen_pipeline(const std::filesystem::path& model);

}  // namespace diffusion
