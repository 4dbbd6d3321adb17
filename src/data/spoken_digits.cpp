#include "data/spoken_digits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "data/archive.h"
#include "data/content_hash.h"
#include "data/data_places.h"
#include "data/load_path.h"
#include "data/prepare.h"
#include "data/sound_source.h"
#include "files/folders.h"
#include "files/sha256.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostRecordingBytes = 1 << 22;
constexpr std::size_t kMostRecordings = 100'000;
// SHA-256 of the SHA-256 sums of all recordings, in the order of their names.
constexpr const char* kContent = "c81a3b5b5fa3271f2844c6450afe0abffb751e194925a2752b53322a8e43f069";

struct Recording {
  std::string name;
  std::vector<std::byte> bytes;
};

std::vector<Recording> read_archive(const fs::path& path) {
  std::vector<Recording> recordings;
  TarReader tar(path);
  while (tar.next()) {
    const std::string name = fs::path(tar.name()).filename().string();
    if (name.starts_with('.') || !parse_spoken_digit(name)) continue;
    if (recordings.size() == kMostRecordings)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has more than {} recordings", path.string(), kMostRecordings));
    recordings.push_back({name, tar.read(kMostRecordingBytes)});
  }
  std::ranges::sort(recordings, {}, &Recording::name);
  std::string sums;
  for (const Recording& recording : recordings) sums += sha256(recording.bytes);
  if (sha256(std::as_bytes(std::span(sums))) != kContent)
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} has {} recordings, which are not the 3,000 of spoken-digits (version 1.0.10); "
                    "to take them as they are, unpack them and give their folder",
                    path.string(), recordings.size()));
  return recordings;
}

SampleSource archive_source(const fs::path& path, const DataOptions& options) {
  const auto recordings = std::make_shared<std::vector<Recording>>(read_archive(path));
  const Split split = options.split;
  std::erase_if(*recordings, [&](const Recording& recording) {
    return !is_in_split(*parse_spoken_digit(recording.name), split);
  });
  SampleSource source;
  source.place = from_root(path) / (split == Split::train ? "train" : "test");
  source.expected = std::int64_t(recordings->size());
  source.open = [recordings]() -> SampleReader {
    return [recordings, index = std::size_t(0)]() mutable -> std::optional<Sample> {
      if (index == recordings->size()) return std::nullopt;
      const Recording& recording = (*recordings)[index++];
      return Sample{recording.name, parse_spoken_digit(recording.name)->digit, recording.bytes};
    };
  };
  ContentHash hash;
  hash.add(std::string(kContent));
  source.signature = signature_of(hash.value(), options.prepare.mel);
  return source;
}

std::optional<SampleSource> find_recordings(const fs::path& folder, const DataOptions& options) {
  std::error_code ignored;
  for (const char* name : {"free-spoken-digit-dataset.tar.xz", "free-spoken-digit-dataset.tar.gz",
                           "free-spoken-digit-dataset.tar", "v1.0.10.tar.gz"})
    if (fs::is_regular_file(folder / name, ignored)) return archive_source(folder / name, options);
  for (const fs::path& place : {folder / "recordings", folder}) {
    if (!fs::is_directory(place, ignored)) continue;
    auto listing = list_folder(place, kSoundFiles);
    const bool digits = listing && listing->class_names.empty() &&
                        std::ranges::all_of(listing->files, [](const FolderListing::File& file) {
                          return parse_spoken_digit(file.path).has_value();
                        });
    if (digits) return sound_folder_source(place, std::move(*listing), options.split, options.prepare.mel);
  }
  return std::nullopt;
}

}  // namespace

LoadedData load_spoken_digits(const DatasetEntry& entry, const DataOptions& options) {
  refuse_forms(options, entry.name);
  refuse_names(options, entry.name);
  std::optional<SampleSource> found;
  const auto read = [&](const fs::path& folder) {
    found = find_recordings(folder, options);
    return found.has_value();
  };
  const auto missing = [&](const fs::path&) { return entry.files; };
  find_or_download(entry, options,
                   {"free-spoken-digit-dataset.tar (or .tar.gz, .tar.xz), a folder recordings/, or "
                    "DIGIT_SPEAKER_INDEX.wav",
                    read, missing});
  found->name = entry.name;
  found->class_names = entry.class_names;
  const MelForm mel = options.prepare.mel;
  found->decode = [mel](const Sample& sample) { return decode_sound(sample, mel); };
  CachedSet set = prepare_images(*found, options.prepare);
  return {take_shard(std::move(set.dataset), options.shards, options.shard), "known data set",
          std::move(set.facts), mel};
}

}  // namespace diffusion
