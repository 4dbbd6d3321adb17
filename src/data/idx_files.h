#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/dataset.h>

namespace diffusion {

// The two files of one split of a data set in the IDX format.
struct IdxFiles {
  std::filesystem::path images, labels;
};

// The published names, as in "train-images-idx3-ubyte.gz"; the test split is called t10k.
std::string published_images_name(Split split);
std::string published_labels_name(Split split);

// All spellings accepted for a published name: with and without ".gz", "-idx3-ubyte" and ".idx3-ubyte".
std::vector<std::string> accepted_names(const std::string& published_name);

// The files of a split in a folder, if both are there. Only names are looked at, not contents.
std::optional<IdxFiles> find_idx_files(const std::filesystem::path& folder, Split split);

// The first accepted spelling of one published name that exists in a folder.
std::optional<std::filesystem::path> find_idx_file(const std::filesystem::path& folder,
                                                   const std::string& published_name);

// What find_idx_files() looks for, for messages.
std::string describe_wanted_files(Split split);

}  // namespace diffusion
