#include "train/newest_pipeline.h"

#include <optional>

#include "pipeline/find_model.h"
#include "train/checkpoint.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

// RUN of RUN/latest, if that is a link.
std::optional<fs::path> run_of_link(const fs::path& model) {
  const fs::path link = model.has_filename() ? model : model.parent_path();
  std::error_code ignored;
  if (link.filename() != "latest" || !fs::is_symlink(link, ignored)) return std::nullopt;
  return link.has_parent_path() ? link.parent_path() : fs::path(".");
}

}  // namespace

fs::path find_newest_pipeline(const fs::path& model, const std::function<void(const std::string&)>& report) {
  std::error_code ignored;
  if (!fs::is_directory(model, ignored)) return find_pipeline(model);
  if (const auto run = run_of_link(model))
    if (const auto newest = newest_checkpoint(*run, report)) return *newest;
  if (!is_pipeline(model))
    if (const auto newest = newest_checkpoint(model, report)) return *newest;
  return find_pipeline(model);
}

}  // namespace diffusion
