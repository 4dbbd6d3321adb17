#include "data/data_places.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <diffusion/error.h>
#include "data/cache_folder.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

// Empty if the environment names no cache.
fs::path cache_of(const DatasetEntry& entry) {
  const fs::path cache = cache_folder();
  return cache.empty() ? cache : cache / entry.name;
}

// Where a data set may lie in a folder of the user's. The folder of another data set of the table is not
// taken for this one, though its files have the same names.
std::vector<fs::path> places_in(const fs::path& folder, const std::string& name) {
  std::vector<fs::path> places{folder / name};
  if (find_series_set(name)) places.push_back(folder / "series");
  const std::string own_name = folder_name(folder);
  const bool is_of_another = own_name != name && find_dataset(own_name) != nullptr;
  if (!is_of_another) places.push_back(folder);
  return places;
}

std::string list(const std::vector<fs::path>& places) {
  std::vector<std::string> texts;
  for (const fs::path& place : places) {
    std::error_code ignored;
    texts.push_back(place.string() + (fs::is_directory(place, ignored) ? "" : " (no such folder)"));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string by_hand(const DatasetEntry& entry, const fs::path& cache) {
  std::vector<std::string> names;
  for (const PublishedFile& file : entry.files) names.push_back(file.folder + file.name);
  return fmt::format("To do it by hand, put {} from {} into {}, or into a folder of yours, named by data_dir",
                     fmt::join(names, ", "), entry.url, cache.string());
}

std::vector<fs::path> places_of(const DatasetEntry& entry, const DataOptions& options) {
  if (!options.data_dir.empty()) return places_in(options.data_dir, entry.name);
  std::vector<fs::path> places;
  if (const std::string folder = environment("DIFFUSION_DATA_DIR"); !folder.empty())
    places = places_in(folder, entry.name);
  if (const fs::path cache = cache_of(entry); !cache.empty()) places.push_back(cache);
  return places;
}

void download_missing(const DatasetEntry& entry, const DataOptions& options, const PlaceReader& reader,
                      const fs::path& cache) {
  try {
    std::error_code failure;
    fs::create_directories(cache, failure);
    if (failure)
      throw Error(ErrorKind::io,
                  fmt::format("Cannot create the folder {}: {}.", cache.string(), failure.message()));
    for (const PublishedFile& file : reader.missing(cache))
      download_file(entry.url + file.folder + file.name, cache / file.name, file.md5, options.progress);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} {}", error.what(), by_hand(entry, cache)), {"data_dir"});
  }
}

}  // namespace

std::string folder_name(const fs::path& folder) {
  std::error_code failure;
  const fs::path full = fs::canonical(folder, failure);
  return (failure ? folder : full).filename().string();
}

void find_or_download(const DatasetEntry& entry, const DataOptions& options, const PlaceReader& reader) {
  const std::vector<fs::path> places = places_of(entry, options);
  for (const fs::path& place : places)
    if (reader.read(place)) return;
  if (reader.refuse)
    for (const fs::path& place : places) reader.refuse(place);
  if (!options.data_dir.empty())
    throw Error(ErrorKind::bad_input, fmt::format("There is no {} in the data folder: looked for {} in {}.",
                                                  entry.name, reader.wanted, list(places)));
  const fs::path cache = cache_of(entry);
  if (!options.allow_download || cache.empty())
    throw Error(
        ErrorKind::bad_input,
        fmt::format("There is no {} on this machine: looked for {} in {}. {}. Name its folder as data_dir",
                    entry.name, reader.wanted, places.empty() ? "no folder at all" : list(places),
                    cache.empty() ? "There is no cache to download into, because HOME is not set"
                                  : "Downloading is switched off"),
        {"data_dir"});
  download_missing(entry, options, reader, cache);
  if (!reader.read(cache))
    throw Error(ErrorKind::internal, fmt::format("{} was downloaded, but is not found", entry.name));
}

}  // namespace diffusion
