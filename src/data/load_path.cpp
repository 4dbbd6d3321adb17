#include "data/load_path.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <diffusion/error.h>
#include "data/caption_sources.h"
#include "data/cifar.h"
#include "data/data_places.h"
#include "data/dataset_table.h"
#include "data/decode_samples.h"
#include "data/held_out_list.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/prepare.h"
#include "data/sound_source.h"
#include "data/tar_shards.h"
#include "files/folders.h"
#include "pictures/unread_formats.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

Dataset read_idx_folder(const fs::path& folder, const IdxFiles& files) {
  const std::string name = folder_name(folder);
  const DatasetEntry* known = find_dataset(name);
  return read_idx_pair(
      files.images, files.labels, name,
      known ? std::span<const std::string>(known->class_names) : std::span<const std::string>());
}

// FOLDER/train or FOLDER/test, if its sub-folders are splits and not classes.
std::optional<fs::path> split_folder(const fs::path& folder, Split split) {
  constexpr std::array<std::string_view, 5> kSplits{"train", "test", "val", "valid", "validation"};
  bool has_train = false;
  for (const fs::path& entry : entries_of(folder)) {
    const std::string name = entry.filename().string();
    if (name.starts_with('.')) continue;
    if (is_image_name(name)) return std::nullopt;
    std::error_code ignored;
    if (!fs::is_directory(entry, ignored)) continue;
    if (std::ranges::find(kSplits, name) == kSplits.end()) return std::nullopt;
    has_train = has_train || name == "train";
  }
  if (!has_train) return std::nullopt;
  return folder / (split == Split::train ? "train" : "test");
}

// For a folder without a data set: what to do with the first picture in it that is of a known format and not
// read; nothing if there is none.
std::string conversion_advice(const fs::path& folder) {
  constexpr int kMaxEntries = 1000;
  constexpr std::size_t kStartBytes = 256;
  std::error_code error, ignored;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error);
  for (int i = 0; i < kMaxEntries && !error && entry != fs::recursive_directory_iterator();
       ++i, entry.increment(error)) {
    if (!entry->is_regular_file(ignored)) continue;
    std::array<char, kStartBytes> start{};
    std::ifstream file(entry->path(), std::ios::binary);
    file.read(start.data(), start.size());
    const auto bytes = std::as_bytes(std::span(start)).first(std::size_t(file.gcount()));
    if (const auto format = find_unread_format(bytes))
      return " " + describe_conversion(*format, entry->path().string());
  }
  return "";
}

// What is at a path: images in memory, or files that must be decoded first.
struct FoundData {
  const char* kind;
  std::variant<Dataset, SampleSource> content;
  std::vector<std::string> empty_folders = {};
};

// Sounds in a folder, or in those of a split.
std::optional<FoundData> find_sounds(const fs::path& folder, Split split, const MelForm& mel) {
  const fs::path sounds = split_folder(folder, split).value_or(folder);
  std::error_code ignored;
  if (!fs::is_directory(sounds, ignored)) return std::nullopt;
  auto listing = list_folder(sounds, kSoundFiles);
  if (!listing) return std::nullopt;
  std::vector<std::string> empty = std::move(listing->empty_folders);
  return FoundData{"sounds", sound_folder_source(sounds, std::move(*listing), split, mel), std::move(empty)};
}

// What a path is asked for.
struct Asked {
  Split split = Split::train;
  MelForm mel = {};
  bool sound_only = false;
};

FoundData find_in_folder(const fs::path& folder, const Asked& asked) {
  const Split split = asked.split;
  if (asked.sound_only) {
    if (auto sounds = find_sounds(folder, split, asked.mel)) return std::move(*sounds);
    throw Error(
        ErrorKind::bad_input,
        fmt::format("The folder {} holds no sound: looked for .wav files in it or in a sub-folder for "
                    "each class.",
                    folder.string()),
        {"audio"});
  }
  if (const auto files = find_idx_files(folder, split)) return {"IDX files", read_idx_folder(folder, *files)};
  if (auto cifar = read_cifar10(folder, split)) return {"CIFAR-10 binary files", std::move(*cifar)};
  const fs::path images = split_folder(folder, split).value_or(folder);
  std::error_code ignored;
  if (fs::is_directory(images, ignored))
    if (auto listing = list_image_folder(images)) {
      std::vector<std::string> empty = std::move(listing->empty_folders);
      return {"image folder", image_folder_source(images, std::move(*listing)), std::move(empty)};
    }
  if (auto sounds = find_sounds(folder, split, asked.mel)) return std::move(*sounds);
  refuse_python_cifar10(folder);  // which is a tar file, too
  if (auto shards = find_tar_shards(folder.string()); !shards.empty())
    return {"tar files", tar_shard_source(folder.string(), std::move(shards))};
  throw Error(
      ErrorKind::bad_input,
      fmt::format("The folder {} does not hold a data set: looked for images (.jpg, .jpeg, .png, .tif, "
                  ".tiff, .webp) or sounds (.wav) in it or in a sub-folder for each class, for tar files, "
                  "for {}, and "
                  "for {}.{}",
                  folder.string(), describe_wanted_files(split), describe_cifar10(split),
                  conversion_advice(folder)));
}

FoundData find_at(const std::string& path, const Asked& asked) {
  const Split split = asked.split;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return find_in_folder(path, asked);
  if (asked.sound_only) {
    std::string names;
    for (const DatasetEntry& entry : sound_table()) names += entry.name + ", ";
    throw Error(
        ErrorKind::usage,
        fmt::format("there are no sounds \"{}\"; accepted are {}or a folder of .wav files", path, names),
        {"audio"});
  }
  const bool exists = fs::exists(path, ignored);
  if (exists && fs::path(path).filename() == kCifar10Archive)
    return {"CIFAR-10 binary archive", read_cifar10_archive(path, split)};
  if (exists) refuse_python_cifar10_file(path);
  if (auto shards = find_tar_shards(path); !shards.empty())
    return {"tar files", tar_shard_source(path, std::move(shards))};
  if (exists)
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is no data set: accepted are folders and tar files (.tar, .tar.gz, .tgz, .tar.bz2, "
                    ".tar.xz, .tar.zst).",
                    path));
  if (find_series_set(path))
    throw Error(ErrorKind::usage,
                fmt::format("{} is a set of series, and has no images; it is given as series", path),
                {"series"});
  std::vector<std::string> names;
  for (const DatasetEntry& entry : dataset_table()) names.push_back(entry.name);
  throw Error(ErrorKind::usage,
              fmt::format("There is no data set and no folder called \"{}\"; the data sets are {}.", path,
                          fmt::join(names, ", ")));
}

LoadedData prepared(const FoundData& found, const SampleSource& source, const DataOptions& options) {
  if (source.decode) refuse_forms(options, source.name);
  const auto& talk = options.prepare.talk;
  if (options.captions.from == CaptionsFrom::table) check_caption_table(options.captions.table);
  if (!found.empty_folders.empty() && talk)
    talk(fmt::format("{}: no class of images in the sub-folder{} {}", source.place.string(),
                     found.empty_folders.size() == 1 ? "" : "s", fmt::join(found.empty_folders, ", ")));
  CachedSet set = prepare_images(source, options.prepare);
  if (!set.facts.broken.empty() && talk)
    talk(fmt::format("{}: {} broken file{} left out, for example: {}", source.name, set.facts.broken.size(),
                     set.facts.broken.size() == 1 ? " is" : "s are", set.facts.broken.front().reason));
  if (options.captions.from != CaptionsFrom::none)
    set.dataset.captions = prepare_captions(source, set, options.captions, talk);
  if (!options.held_out_list.empty())
    set.dataset = choose_images(std::move(set.dataset),
                                images_of_split(options.held_out_list, options.split, source, set.facts));
  return {take_shard(std::move(set.dataset), options.shards, options.shard), found.kind, std::move(set.facts),
          source.decode ? std::optional(options.prepare.mel) : std::nullopt};
}

}  // namespace

void refuse_names(const DataOptions& options, const std::string& data) {
  const auto refuse = [&](const char* what, const char* field) {
    throw Error(ErrorKind::usage,
                fmt::format("The images of {} have no names that {} could give; accepted are folders and tar "
                            "files of images",
                            data, what),
                {field});
  };
  if (options.captions.from != CaptionsFrom::none) refuse("captions", "captions");
  if (!options.held_out_list.empty()) refuse("a list of images", "held_out_list");
}

Dataset part_in_form(Dataset whole, const DataOptions& options) {
  return reform(take_shard(std::move(whole), options.shards, options.shard), options.prepare.form);
}

LoadedData load_path(const std::string& path, const DataOptions& options) {
  const bool has_list = !options.held_out_list.empty();
  FoundData found =
      find_at(path, {has_list ? Split::train : options.split, options.prepare.mel, options.sound_only});
  if (const auto* source = std::get_if<SampleSource>(&found.content))
    return prepared(found, *source, options);
  refuse_names(options, path);
  return {part_in_form(std::get<Dataset>(std::move(found.content)), options), found.kind, {}};
}

std::array<int, 2> first_image_size(const std::string& path) {
  const FoundData found = find_at(path, {});
  if (const auto* dataset = std::get_if<Dataset>(&found.content)) return {dataset->height, dataset->width};
  const auto& source = std::get<SampleSource>(found.content);
  const SampleReader read = source.open();
  while (const std::optional<Sample> sample = read()) try {
      const Image image = source.decode ? source.decode(*sample) : decode_sample(*sample);
      return {image.height, image.width};
    } catch (const Error&) {
      continue;  // a broken file; loading counts them
    }
  throw Error(ErrorKind::bad_input, fmt::format("{} holds no image that can be read.", path));
}

}  // namespace diffusion
