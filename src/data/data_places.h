#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/data_options.h"
#include "data/dataset_table.h"

namespace diffusion {

// How one published data set is found in a folder, read, and completed by downloads.
struct PlaceReader {
  std::string wanted;  // what is looked for, for messages
  // Takes the set from the folder. False if the folder does not hold it; an Error if it does, but damaged.
  std::function<bool(const std::filesystem::path& folder)> read;
  // The published files that the folder lacks.
  std::function<std::vector<PublishedFile>(const std::filesystem::path& folder)> missing;
  // Throws if the folder holds the set in a form that is not read. Asked where read() found nothing anywhere.
  std::function<void(const std::filesystem::path& folder)> refuse = {};
};

// Has the set read from where load_data() says, and downloads it otherwise.
void find_or_download(const DatasetEntry& entry, const DataOptions& options, const PlaceReader& reader);

// The name of a folder, also of "." and "set/".
std::string folder_name(const std::filesystem::path& folder);

}  // namespace diffusion
