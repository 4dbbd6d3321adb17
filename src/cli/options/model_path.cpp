#include "cli/options/model_path.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "train/checkpoint.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// RUN of RUN/latest, if that is a link.
std::optional<fs::path> run_of_link(const fs::path& model) {
  const fs::path link = model.has_filename() ? model : model.parent_path();
  std::error_code ignored;
  if (link.filename() != "latest" || !fs::is_symlink(link, ignored)) return std::nullopt;
  return link.has_parent_path() ? link.parent_path() : fs::path(".");
}

[[noreturn]] void refuse(const fs::path& model, const std::string& reason) {
  throw Error(
      ErrorKind::bad_input,
      fmt::format("{} {}; a model is the directory of a training run or of a diffusers pipeline, or the "
                  "name of one that comes with the program",
                  model.string(), reason));
}

}  // namespace

CLI::Option* add_model_option(CLI::App& app, std::string& model) {
  return app
      .add_option(
          "MODEL", model,
          "Directory of a training run (its newest checkpoint) or of a diffusers pipeline,\nor the name "
          "of a model that comes with the program: fashion-mnist, or for four steps\nfashion-mnist-quick")
      ->type_name("");
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

  const auto talk = [](const std::string& message) { stderr_log().line(message); };
  if (const auto run = run_of_link(model))
    if (const auto newest = newest_checkpoint(*run, talk)) return *newest;
  for (const char* part : {"model_index.json", "unet", "config.json"})
    if (is_there(model / part)) return model;
  if (const auto newest = newest_checkpoint(model, talk)) return *newest;
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
