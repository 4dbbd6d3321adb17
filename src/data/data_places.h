#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/data_options.h"
#include "data/dataset_table.h"

namespace diffusion {

// How one published data set is found in a folder, read, and completed by downloads.
struct PlaceReader {
  std::string wanted;  // what is looked for, for messages
  // Nothing if the folder does not hold the set; an Error if it does, but damaged.
  std::function<std::optional<Dataset>(const std::filesystem::path& folder)> read;
  // The published files that the folder lacks.
  std::function<std::vector<PublishedFile>(const std::filesystem::path& folder)> missing;
  // Throws if the folder holds the set in a form that is not read. Asked where read() found nothing anywhere.
  std::function<void(const std::filesystem::path& folder)> refuse = {};
};

// Looks for the set where load_data() says, and downloads it otherwise.
Dataset find_or_download(const DatasetEntry& entry, const DataOptions& options, const PlaceReader& reader);

// The name of a folder, also of "." and "set/".
std::string folder_name(const std::filesystem::path& folder);

}  // namespace diffusion
