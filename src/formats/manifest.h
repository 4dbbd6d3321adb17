#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace diffusion {

// A list of files with what they held: {"unet/config.json": {"size": 1082, "sha256": "<64 digits>"}, ...},
// paths relative to a directory and with '/'.
Json::Object make_manifest(const std::filesystem::path& directory, std::span<const std::string> files);

struct ManifestCheck {
  std::string file;
  std::string defect;  // "has another SHA-256 than was recorded"; empty: the file is what it was
};

// One check for each file of the list. Error(bad_input) naming `source`, where the list is from, if it is no
// such list or names files outside of the directory.
std::vector<ManifestCheck> check_manifest(const std::filesystem::path& directory, const Json& files,
                                          std::string_view source);

}  // namespace diffusion
