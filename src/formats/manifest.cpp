#include "formats/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include <diffusion/error.h>
#include "files/folders.h"
#include "files/mapped_file.h"
#include "files/sha256.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

std::string hash_of(const fs::path& file) {
  return sha256(MappedFile(file).bytes());
}

std::string defect_of(const fs::path& file, std::int64_t size, const std::string& hash) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) return "is missing";
  if (!fs::is_regular_file(status)) return "is not a regular file";
  const auto found = std::int64_t(fs::file_size(file, error));
  if (error) return fmt::format("cannot be read: {}", error.message());
  if (found != size) return fmt::format("has {} bytes instead of {}", found, size);
  return hash_of(file) == hash ? "" : "has another SHA-256 than was recorded";
}

}  // namespace

Json::Object make_manifest(const fs::path& directory, std::span<const std::string> files) {
  Json::Object manifest;
  for (const std::string& name : files)
    manifest[name] =
        Json::Object{{"size", bytes_of_file(directory / name)}, {"sha256", hash_of(directory / name)}};
  return manifest;
}

std::vector<ManifestCheck> check_manifest(const fs::path& directory, const Json& files,
                                          std::string_view source) {
  std::vector<ManifestCheck> checks;
  for (const auto& [name, entry] : to_object(files, fmt::format("{}: the list of files", source))) {
    const std::string where = fmt::format("{}: file {}", source, name);
    const fs::path path(name);
    if (path.empty() || path.is_absolute() || std::ranges::find(path, fs::path("..")) != path.end())
      throw Error(ErrorKind::bad_input, fmt::format("{} is not inside of the directory", where));
    const std::int64_t size = to_int(member(entry, "size", where), where + ", size");
    const std::string& hash = to_string(member(entry, "sha256", where), where + ", sha256");
    checks.push_back({name, defect_of(directory / path, size, hash)});
  }
  return checks;
}

}  // namespace diffusion
