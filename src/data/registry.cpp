#include "data/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "data/idx.h"
#include "data/shapes.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr int kShapesTrainCount = 20000, kShapesTestCount = 4000;

Dataset load_shapes(const DatasetEntry&, const DataOptions& options) {
  return options.split == Split::train ? make_shapes(kShapesTrainCount, 0) : make_shapes(kShapesTestCount, 1);
}

const DatasetEntry* find_entry(const std::string& name) {
  const auto table = dataset_table();
  const auto entry = std::find_if(table.begin(), table.end(), [&](const auto& e) { return e.name == name; });
  return entry == table.end() ? nullptr : &*entry;
}

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

// Empty if the environment names none. A relative XDG_CACHE_HOME does not count, as the XDG specification
// says.
fs::path cache_folder(const std::string& name) {
  fs::path base = environment("XDG_CACHE_HOME");
  if (!base.is_absolute()) {
    const fs::path home = environment("HOME");
    if (!home.is_absolute()) return {};
    base = home / ".cache";
  }
  return base / "diffusion" / name;
}

std::string folder_name(const fs::path& folder) {
  std::error_code failure;
  const fs::path full = fs::canonical(folder, failure);
  return (failure ? folder : full).filename().string();
}

// Where a data set may lie in a folder of the user's. The folder of another data set of the table is not
// taken for this one, though its files have the same names.
std::vector<fs::path> places_in(const fs::path& folder, const std::string& name) {
  std::vector<fs::path> places{folder / name};
  const std::string own_name = folder_name(folder);
  if (own_name == name || !find_entry(own_name)) places.push_back(folder);
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

Dataset read_files(const DatasetEntry& entry, const IdxFiles& files) {
  return read_idx_pair(files.images, files.labels, entry.name, entry.class_names);
}

std::string by_hand(const DatasetEntry& entry, const fs::path& cache) {
  std::vector<std::string> names;
  for (const PublishedFile& file : entry.files) names.push_back(file.name);
  return fmt::format("To do it by hand, put {} from {} into {}, or into a folder named by --data-dir.",
                     fmt::join(names, ", "), entry.url, cache.string());
}

// Fetches what the split lacks.
void download_split(const DatasetEntry& entry, const DataOptions& options, const fs::path& cache) {
  try {
    std::error_code failure;
    fs::create_directories(cache, failure);
    if (failure)
      throw Error(ErrorKind::io,
                  fmt::format("Cannot create the folder {}: {}.", cache.string(), failure.message()));
    for (const PublishedFile& file : entry.files) {
      const bool wanted = file.name == published_images_name(options.split) ||
                          file.name == published_labels_name(options.split);
      if (wanted && !find_idx_file(cache, file.name))
        download_file(entry.url + file.name, cache / file.name, file.md5, options.progress);
    }
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} {}", error.what(), by_hand(entry, cache)));
  }
}

Dataset load_folder(const fs::path& folder, const DataOptions& options) {
  const auto files = find_idx_files(folder, options.split);
  if (!files)
    throw Error(ErrorKind::bad_input, fmt::format("The folder {} does not hold a data set: looked for {}.",
                                                  folder.string(), describe_wanted_files(options.split)));
  const std::string name = folder_name(folder);
  const DatasetEntry* entry = find_entry(name);
  return read_idx_pair(
      files->images, files->labels, name,
      entry ? std::span<const std::string>(entry->class_names) : std::span<const std::string>());
}

}  // namespace

std::span<const DatasetEntry> dataset_table() {
  static const std::array<DatasetEntry, 3> table{
      DatasetEntry{.name = "fashion-mnist",
                   .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                   "Sneaker", "Bag", "Ankle boot"},
                   .load = &load_idx_set,
                   .url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                   .files = {{{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                              {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
                              {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                              {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}}}},
      DatasetEntry{.name = "mnist",
                   .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                   .load = &load_idx_set,
                   .url = "https://ossci-datasets.s3.amazonaws.com/mnist/",
                   .files = {{{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                              {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
                              {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
                              {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"}}}},
      DatasetEntry{.name = "shapes",
                   .class_names = {shape_names().begin(), shape_names().end()},
                   .load = &load_shapes}};
  return table;
}

Dataset load_idx_set(const DatasetEntry& entry, const DataOptions& options) {
  if (!options.data_dir.empty()) {
    const auto places = places_in(options.data_dir, entry.name);
    for (const fs::path& place : places)
      if (const auto files = find_idx_files(place, options.split)) return read_files(entry, *files);
    throw Error(ErrorKind::bad_input,
                fmt::format("There is no {} in the data folder: looked for {} in {}.", entry.name,
                            describe_wanted_files(options.split), list(places)));
  }

  std::vector<fs::path> places;
  if (const std::string folder = environment("DIFFUSION_DATA_DIR"); !folder.empty())
    places = places_in(folder, entry.name);
  const fs::path cache = cache_folder(entry.name);
  if (!cache.empty()) places.push_back(cache);
  for (const fs::path& place : places)
    if (const auto files = find_idx_files(place, options.split)) return read_files(entry, *files);

  if (!options.allow_download || cache.empty())
    throw Error(
        ErrorKind::bad_input,
        fmt::format(
            "There is no {} on this machine: looked for {} in {}. {}. Name its folder with --data-dir.",
            entry.name, describe_wanted_files(options.split),
            places.empty() ? "no folder at all" : list(places),
            cache.empty() ? "There is no cache to download into, because HOME is not set"
                          : "Downloading is switched off"));
  download_split(entry, options, cache);
  return read_files(entry, find_idx_files(cache, options.split).value());
}

Dataset load_dataset(const std::string& name_or_path, const DataOptions& options) {
  if (const DatasetEntry* entry = find_entry(name_or_path)) return entry->load(*entry, options);
  std::error_code ignored;
  if (fs::is_directory(name_or_path, ignored)) return load_folder(name_or_path, options);
  std::vector<std::string> names;
  for (const DatasetEntry& entry : dataset_table()) names.push_back(entry.name);
  throw Error(ErrorKind::usage,
              fmt::format("There is no data set and no folder called \"{}\"; the data sets are {}.",
                          name_or_path, fmt::join(names, ", ")));
}

}  // namespace diffusion
