#include "pipeline/find_model.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {

namespace fs = std::filesystem;

namespace {

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

[[noreturn]] void refuse(const fs::path& model, const std::string& reason) {
  throw Error(
      ErrorKind::bad_input,
      fmt::format("{} {}; a model is the directory of a training run or of a diffusers pipeline, or the "
                  "name of one that comes with the program",
                  model.string(), reason));
}

}  // namespace

bool is_pipeline(const fs::path& directory) {
  for (const char* part : {"model_index.json", "unet", "config.json"})
    if (is_there(directory / part)) return true;
  return false;
}

fs::path find_pipeline(const fs::path& model) {
  std::error_code error;
  const fs::file_status status = fs::status(model, error);
  if (status.type() == fs::file_type::not_found) {
    const bool is_name = !model.empty() && model == model.filename();
    if (const auto shipped = is_name ? find_shipped(model.native()) : std::nullopt) return *shipped;
    refuse(model, "does not exist");
  }
  if (status.type() == fs::file_type::none)
    throw Error(ErrorKind::io, fmt::format("Cannot open {}: {}.", model.string(), error.message()));
  if (!fs::is_directory(status)) refuse(model, "is not a directory");

  if (is_pipeline(model)) return model;
  const fs::path latest = model / "latest";
  if (is_there(latest)) return latest;
  if (fs::is_symlink(fs::symlink_status(latest, error)))
    refuse(model, fmt::format("has a link \"latest\" to {}, which does not exist",
                              fs::read_symlink(latest, error).string()));
  if (is_there(model / "checkpoints")) refuse(model, "is a training run without a checkpoint so far");
  refuse(model, "holds no model: there is no model_index.json, unet, config.json or latest in it");
}

std::optional<fs::path> find_shipped(std::string_view name) {
  std::vector<fs::path> places;
  if (const char* given = std::getenv("DIFFUSION_MODELS_DIR")) {
    places = {given};
  } else {
    std::error_code unknown;
    const fs::path program = fs::read_symlink("/proc/self/exe", unknown);
    if (unknown) return std::nullopt;
    const fs::path folder = program.parent_path();
    places = {folder.parent_path() / "share" / "diffusion" / "models",
              folder.parent_path().parent_path() / "models"};
  }
  for (const fs::path& place : places)
    if (is_there(place / name)) return place / name;
  return std::nullopt;
}

}  // namespace diffusion
