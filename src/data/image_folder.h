#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/sample_source.h"

namespace diffusion {

// What files are looked for.
struct WantedFiles {
  bool (*is_name)(std::string_view name);
  const char* plural;  // what they are, for messages
};

// The images in a folder, as people have them:
//   FOLDER/CLASS/.../NAME.jpg   the class is the first folder; class names are sorted, 0, 1, ...
//   FOLDER/NAME.jpg             no labels
// Names end in .jpg, .jpeg, .png, .tif, .tiff or .webp in any case. Hidden files and folders are left out;
// links are followed, each folder is visited once. Files are sorted by the bytes of their names, those of a
// folder before those of its sub-folders, so the order is the same on every machine.
struct FolderListing {
  struct File {
    std::string path;  // below the folder; any bytes
    int label;         // -1: no classes
  };
  std::vector<File> files;
  std::vector<std::string> class_names;
  std::vector<std::string> empty_folders;  // sub-folders without any image: not a class
  std::uint64_t signature = 0;             // of paths, sizes and times of all files
};

// Whether a name ends like that of an image.
bool is_image_name(std::string_view name);

// Nothing if there is no image. Error(bad_input) if there are images both in the folder and in its
// sub-folders, or more than 65,536 classes; Error(io) if a folder cannot be read. Only names, sizes and times
// are looked at.
std::optional<FolderListing> list_image_folder(const std::filesystem::path& folder);
// The same for other files.
std::optional<FolderListing> list_folder(const std::filesystem::path& folder, const WantedFiles& wanted);

// For prepare_images().
SampleSource image_folder_source(const std::filesystem::path& folder, FolderListing listing);

}  // namespace diffusion
