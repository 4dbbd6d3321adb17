#include "data/idx_files.h"

#include <fmt/format.h>

namespace diffusion {

namespace {

const char* stem(Split split) {
  return split == Split::train ? "train" : "t10k";
}

}  // namespace

std::string published_images_name(Split split) {
  return fmt::format("{}-images-idx3-ubyte.gz", stem(split));
}
std::string published_labels_name(Split split) {
  return fmt::format("{}-labels-idx1-ubyte.gz", stem(split));
}

std::vector<std::string> accepted_names(const std::string& published_name) {
  const std::string dashed = published_name.substr(0, published_name.rfind(".gz"));
  std::string dotted = dashed;
  dotted[dotted.rfind("-idx")] = '.';
  return {dashed, dashed + ".gz", dotted, dotted + ".gz"};
}

std::optional<std::filesystem::path> find_idx_file(const std::filesystem::path& folder,
                                                   const std::string& published_name) {
  for (const std::string& name : accepted_names(published_name)) {
    std::error_code ignored;  // a folder that may not be looked into holds no files for us
    if (std::filesystem::is_regular_file(folder / name, ignored)) return folder / name;
  }
  return std::nullopt;
}

std::optional<IdxFiles> find_idx_files(const std::filesystem::path& folder, Split split) {
  const auto images = find_idx_file(folder, published_images_name(split));
  const auto labels = find_idx_file(folder, published_labels_name(split));
  if (!images || !labels) return std::nullopt;
  return IdxFiles{*images, *labels};
}

std::string describe_wanted_files(Split split) {
  return fmt::format(
      "{0}-images-idx3-ubyte and {0}-labels-idx1-ubyte (\".idx\" for \"-idx\" and a final \".gz\" are fine)",
      stem(split));
}

}  // namespace diffusion
