#include "eval/feature_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include <diffusion/error.h>
#include "files/folders.h"
#include "files/fs.h"
#include "files/sha256.h"
#include "formats/manifest.h"
#include "formats/safetensors.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr const char* kValues = "features.safetensors";
constexpr const char* kManifest = "manifest.json";

// Nothing if there is no such entry, or it is not what was written.
std::optional<Extracted> read_entry(const fs::path& entry, const std::string& key, int count) try {
  if (!path_exists(entry / kManifest)) return std::nullopt;
  const Json manifest = parse_json(read_text_file(entry / kManifest, 1 << 16), (entry / kManifest).string());
  for (const ManifestCheck& check : check_manifest(entry, manifest, kManifest))
    if (!check.defect.empty()) return std::nullopt;
  const SafetensorsFile file = SafetensorsFile::open(entry / kValues);
  const auto is_ours = file.metadata().find("key");
  if (is_ours == file.metadata().end() || is_ours->second != key) return std::nullopt;
  const TensorView* features = file.find("features");
  const TensorView* predicted = file.find("predicted");
  if (!features || features->dims.size() != 2 || features->dims[0] != count) return std::nullopt;
  Extracted e;
  e.features = {count, int(features->dims[1]), std::vector<float>(std::size_t(features->elements()))};
  read_f32(*features, e.features.values);
  if (predicted) {
    if (predicted->elements() != count) return std::nullopt;
    std::vector<float> classes(std::size_t(predicted->elements()));
    read_f32(*predicted, classes);
    for (const float c : classes) e.predicted.push_back(int(std::lround(c)));
  }
  return e;
} catch (const Error&) {
  return std::nullopt;
}

void write_entry(const fs::path& entry, const std::string& key, const Extracted& e) try {
  std::error_code failure;
  fs::create_directories(entry.parent_path(), failure);
  if (failure) return;
  AtomicDirectory files(entry);
  const std::vector<float> classes(e.predicted.begin(), e.predicted.end());  // exact up to 2^24
  std::vector<TensorToWrite> tensors{{"features", {e.features.count, e.features.width}, e.features.values}};
  if (!classes.empty()) tensors.push_back({"predicted", {e.features.count}, classes});
  write_safetensors(files.path() / kValues, tensors, {{"format", "pt"}, {"key", key}});
  const std::array<std::string, 1> names{kValues};
  write_file(files.path() / kManifest, dump_json(make_manifest(files.path(), names), 2) + "\n");
  files.commit();
} catch (const Error& error) {
  if (error.kind() != ErrorKind::io) throw;  // a full or read-only disk is no reason to lose the result
}

}  // namespace

Extracted cached_features(const fs::path& folder, const std::string& network, const Dataset& images,
                          const std::function<Extracted()>& compute) {
  if (folder.empty()) return compute();
  const std::string key =
      fmt::format("{} on {} images {:016x}", network, images.count(), images.fingerprint());
  const fs::path entry = folder / sha256(std::as_bytes(std::span(key))).substr(0, 16);
  if (std::optional<Extracted> kept = read_entry(entry, key, images.count())) return std::move(*kept);
  Extracted computed = compute();
  write_entry(entry, key, computed);
  return computed;
}

}  // namespace diffusion
